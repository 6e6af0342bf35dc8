"""The directory that an application is given: the ONNX file and all that is needed to use it."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from sparse_core.artifacts.deployment import DeploymentRecord
from sparse_core.artifacts.recipe import RECIPE_NAME
from sparse_core.store import write_json
from sparse_core.tasks.tokenizers import save_tokenizer

if TYPE_CHECKING:
    from sparse_core.tasks import Task

MODEL_NAME = "model.onnx"
_VERSIONED_PACKAGES = ("torch", "transformers", "onnx", "onnxruntime")


def write_deployment(
    directory: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    max_seq_length: int,
    recipe: Path,
    label_names: Sequence[str],
    **facts: Any,
) -> None:
    """Adds config, tokenizer, labels, recipe and manifest to a `directory` that has the ONNX file.

    Args:
        directory: holds `model.onnx`; existing files of the same names are replaced.
        model: gives config.json.
        tokenizer: gives the tokenizer's files.
        task: what the model predicts. Its name and options go into manifest.json: answers depend on them.
        max_seq_length: most tokens in a row when the model was measured, for manifest.json.
        recipe: recipe.yaml of the training, copied where it exists.
        label_names: labels.json, in the order of the logits; no such file where there are none.
        facts: more JSON values for manifest.json, which has each file's SHA-256 and the versions of the packages.
    """
    config = copy.deepcopy(model.config)
    # Both describe torch weights, of which this directory has none.
    for name in ("quantization_config", "attn_implementation"):
        if hasattr(config, name):
            delattr(config, name)
    config.save_pretrained(directory)
    save_tokenizer(tokenizer, directory)
    if label_names:
        write_json(directory / "labels.json", list(label_names))
    if recipe.is_file():
        shutil.copyfile(recipe, directory / RECIPE_NAME)
    versions = {name: version(name) for name in _VERSIONED_PACKAGES}
    use = {"task": task.name, "task_args": task.options.model_dump(mode="json"), "max_seq_length": max_seq_length}
    DeploymentRecord(step="export_onnx", versions=versions, **use, **facts).write(directory)
