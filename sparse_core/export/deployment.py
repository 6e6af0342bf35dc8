"""Completes a deployment: config, tokenizer, labels, recipe and record beside the ONNX file."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from sparse_core.artifacts.deployment import EXPORT_STEP, Deployment, DeploymentRecord
from sparse_core.artifacts.model import Model
from sparse_core.tasks.tokenizers import save_tokenizer

if TYPE_CHECKING:
    from sparse_core.tasks import Task

_VERSIONED_PACKAGES = ("torch", "transformers", "onnx", "onnxruntime")


def complete_deployment(
    deployment: Deployment,
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    task: Task,
    model_folder: Path,
    label_names: Sequence[str],
    **record: Any,
) -> None:
    """Adds config, tokenizer, labels, recipe and record to a folder that holds the ONNX file.

    Args:
        deployment: the folder; existing files of the same names are replaced.
        model: gives config.json.
        tokenizer: gives the tokenizer's files.
        task: what the model predicts; answers depend on its name and options, so the record holds them.
        model_folder: folder of the model; its recipe is copied where it has one.
        label_names: in the order of the logits; empty where the task has none.
        record: more fields of the record.
    """
    directory = deployment.directory
    config = copy.deepcopy(model.config)
    for name in ("quantization_config", "attn_implementation"):  # both describe torch weights, which are not here
        if hasattr(config, name):
            delattr(config, name)
    config.save_pretrained(directory)
    save_tokenizer(tokenizer, directory)
    deployment.write_labels(list(label_names))
    if Model(model_folder).recipe_path.is_file():
        shutil.copyfile(Model(model_folder).recipe_path, Model(directory).recipe_path)
    DeploymentRecord(
        step=EXPORT_STEP,
        task=task.name,
        task_args=task.options.model_dump(mode="json"),
        versions={name: version(name) for name in _VERSIONED_PACKAGES},
        **record,
    ).write(directory)
