"""The model artifact: a Hugging Face folder, with what the training steps add to it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparse_core.artifacts.recipe import RECIPE_NAME
from sparse_core.artifacts.record import RunRecord
from sparse_core.artifacts.weights import are_pickled, find_weights, read_json_object
from sparse_core.errors import ArtifactError, ModelError, listed
from sparse_core.store import write_json

CONFIG_NAME = "config.json"
METRICS_NAME = "metrics.json"
CHECKPOINT_FOLDER = "checkpoint"
VOCABULARY_NAMES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
"""Files with a vocabulary; a tokenizer needs at least one of them."""
TOKENIZER_NAMES = (
    *VOCABULARY_NAMES,
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
TRAINING_NAMES = (RECIPE_NAME, METRICS_NAME)
"""Files that the training steps add to a model."""
_SAFETENSORS = re.compile(r"model(-\d+-of-\d+)?\.safetensors(\.index\.json)?")


@dataclass(frozen=True)
class Model:
    """A Hugging Face folder.

    Nothing is read until a method asks for it, and every check is made before a library loads the model.

    Attributes:
        directory: the folder.
    """

    directory: Path

    @property
    def config_path(self) -> Path:
        """`config.json`; without it, a folder is not taken for a model."""
        return self.directory / CONFIG_NAME

    @property
    def recipe_path(self) -> Path:
        """The recipe that the model was trained with; missing for a model from elsewhere."""
        return self.directory / RECIPE_NAME

    @property
    def checkpoint(self) -> Path:
        """Folder of the checkpoint to go on from; only a model whose recipe is not finished has it."""
        return self.directory / CHECKPOINT_FOLDER

    def config(self) -> dict[str, Any]:
        """The content of `config.json`.

        Raises:
            ModelError: the folder or the file is missing, the file holds no JSON object, it names no architecture, or
                the model needs Python code of its own.
        """
        path = self.config_path
        if not self.directory.is_dir():
            problem = "is a file, not a folder" if self.directory.exists() else "does not exist"
            raise ModelError(
                "model", f"{self.directory} {problem}", fix=f"name a Hugging Face folder with {CONFIG_NAME}"
            )
        if not path.is_file():
            raise ModelError(
                "model", f"{self.directory} has no {CONFIG_NAME}", fix="name a folder that save_pretrained wrote"
            )
        config = read_json_object(path)
        if "auto_map" in config:
            raise ModelError(
                "model",
                f"{path} has 'auto_map': the model needs Python code of its own, which is never run",
                fix="use an architecture that transformers has",
            )
        if not isinstance(config.get("model_type"), str):
            raise ModelError(
                "model", f"{path} has no 'model_type'", accepted='the name of an architecture, such as "bert"'
            )
        return config

    def weight_files(self, *, allow_pickles: bool = False) -> list[str]:
        """Names of the files that hold the weights, the index of shards included.

        Args:
            allow_pickles: return pickled weights too, where the folder has no others.

        Raises:
            ModelError: there are no weights, they are pickles that are not allowed, a shard is missing, or a file is
                cut short.
        """
        names = find_weights(self.directory)
        if are_pickled(names) and not allow_pickles:
            raise ModelError(
                "model",
                f"{self.directory} has its weights in the pickle {names[0]}, but only safetensors are read",
                fix=f"convert it: `sparse-core fetch_model --model {self.directory} --output NEW_FOLDER`",
            )
        return names

    def has_pickled_weights(self) -> bool:
        """Whether the weights are pickles.

        Raises:
            ModelError: there are no weights, or they are not whole.
        """
        return are_pickled(find_weights(self.directory))

    def tokenizer_files(self) -> list[str]:
        """Names of the tokenizer's files.

        Raises:
            ModelError: no file of the folder holds a vocabulary.
        """
        if not any((self.directory / name).is_file() for name in VOCABULARY_NAMES):
            raise ModelError(
                "model",
                f"{self.directory} has no tokenizer",
                accepted=f"one of {listed(VOCABULARY_NAMES)}",
                fix="write it with tokenizer.save_pretrained",
            )
        return [name for name in TOKENIZER_NAMES if (self.directory / name).is_file()]

    def training_files(self) -> list[str]:
        """Names of the files that a training step has added."""
        return [name for name in TRAINING_NAMES if (self.directory / name).is_file()]

    def metrics(self) -> dict[str, Any]:
        """The scores on the validation split, by name; empty where no step measured the model.

        Raises:
            ArtifactError: the file is damaged.
        """
        path = self.directory / METRICS_NAME
        if not path.is_file():
            return {}
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ArtifactError("model", f"{path} is damaged ({error})", fix="make the model again") from None

    def write_metrics(self, metrics: Mapping[str, float | int | None]) -> None:
        """Writes the scores on the validation split."""
        write_json(self.directory / METRICS_NAME, dict(metrics))

    def log_history(self) -> list[dict[str, Any]]:
        """What the Trainer logged while it trained the model; empty for a model from elsewhere.

        Raises:
            ArtifactError: the run record is damaged, or written by a newer version.
        """
        record = RunRecord.read(self.directory)
        return record.log_history if record is not None else []


def is_model_file(name: str) -> bool:
    """Whether saving a model writes a file of that name: config, weights as safetensors, tokenizer, recipe."""
    return name in (CONFIG_NAME, RECIPE_NAME, *TOKENIZER_NAMES) or is_weight_file(name)


def is_weight_file(name: str) -> bool:
    """Whether `name` is that of weights as safetensors, of one of their shards, or of their index."""
    return _SAFETENSORS.fullmatch(name) is not None
