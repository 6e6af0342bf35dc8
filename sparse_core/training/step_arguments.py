"""Hugging Face's training arguments from the options of a training step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sparse_core.errors import ConfigError, nearest, settings_inside
from sparse_core.training.arguments import TrainingArguments
from sparse_core.training.checks import require_in_range, require_types, require_usable
from sparse_core.training.options import TrainingOptions

_DECIDED = (
    "output_dir",
    "num_train_epochs",
    "max_steps",
    "resume_from_checkpoint",
    "save_only_model",
    "overwrite_output_dir",
    "batch_eval_metrics",
    "label_names",
)
"""Arguments that a step, the recipe or the task decides."""


def step_arguments(options: TrainingOptions, output_dir: Path) -> TrainingArguments:
    """Hugging Face's arguments for a training that keeps its checkpoints in `output_dir`.

    Raises:
        ConfigError: `training_arguments` names an argument that does not exist or is decided by the step, or has a
            value that cannot be used. The setting is "training_arguments.<name>".
        DependencyError: a value needs a package that is not installed.
    """
    user_arguments = options.training_arguments
    _require_known(user_arguments)
    values: dict[str, Any] = {
        "per_device_train_batch_size": options.per_device_train_batch_size,
        "per_device_eval_batch_size": options.per_device_eval_batch_size,
        "gradient_accumulation_steps": options.gradient_accumulation_steps,
        "seed": options.seed,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "disable_tqdm": True,
        "dataloader_pin_memory": torch.cuda.is_available(),
        "use_cpu": not torch.accelerator.is_available(),  # bf16 on a CPU is refused without it
        **user_arguments,
    }
    with settings_inside("training_arguments", user_arguments):
        require_types(user_arguments)
        for name, value in user_arguments.items():
            require_in_range(name, value)
        try:
            arguments = TrainingArguments(output_dir=str(output_dir), **values)
        except (TypeError, ValueError, NotImplementedError, ImportError, RuntimeError, OSError) as error:
            raise ConfigError("training_arguments", " ".join(str(error).split())) from None
        require_usable(arguments)
    return arguments


def _require_known(user_arguments: Mapping[str, Any]) -> None:
    accepted = {field.name for field in dataclasses.fields(TrainingArguments) if field.init}
    for name in user_arguments:
        setting = f"training_arguments.{name}"
        if name in _DECIDED:
            raise ConfigError(setting, "is decided by the step, the recipe or the task", fix="leave it out")
        if name == "hub_token":
            raise ConfigError(
                setting,
                "would stand in the clear among the settings of a step",
                fix="leave it out and set the environment variable HF_TOKEN",
            )
        if name not in accepted:
            raise ConfigError(setting, "is no training argument of Hugging Face", fix=nearest(name, accepted))
