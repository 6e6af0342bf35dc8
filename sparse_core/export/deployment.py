"""The directory that an application is given: the ONNX file and all that is needed to use it."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sparse_core.artifacts import write_json, write_manifest

MODEL_NAME = "model.onnx"
RECIPE_NAME = "recipe.yaml"
_VERSIONED_PACKAGES = ("torch", "transformers", "onnx", "onnxruntime")


def write_deployment(
    directory: Path,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    recipe: Path,
    label_names: Sequence[str],
    **facts: Any,
) -> None:
    """Adds config, tokenizer, labels, recipe and manifest to a `directory` that has the ONNX file.

    Args:
        directory: holds `model.onnx`; existing files of the same names are replaced.
        model: gives config.json.
        tokenizer: gives the tokenizer's files.
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
    tokenizer.save_pretrained(directory)
    if label_names:
        write_json(directory / "labels.json", list(label_names))
    if recipe.is_file():
        shutil.copyfile(recipe, directory / RECIPE_NAME)
    versions = {name: version(name) for name in _VERSIONED_PACKAGES}
    write_manifest(directory, "export_onnx", versions=versions, **facts)
