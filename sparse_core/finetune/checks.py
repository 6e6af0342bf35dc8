"""Values of flags that Hugging Face's Trainer would stumble over later, refused before anything is read."""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate.utils import DynamoBackend  # type: ignore[import-untyped]
from transformers.integrations import get_available_reporting_integrations
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.utils import is_liger_kernel_available

from sparse_core.errors import ConfigError, DependencyError, did_you_mean

if TYPE_CHECKING:
    import transformers

    from sparse_core.finetune.command_line import Arguments
    from sparse_core.training.trainer import Trainer

_AT_LEAST_ONE = (
    "max_train_samples",
    "max_eval_samples",
    "max_predict_samples",
    "preprocessing_num_workers",
    "per_device_train_batch_size",
    "per_device_eval_batch_size",
    "gradient_accumulation_steps",
    "eval_accumulation_steps",
    "save_total_limit",
)
_NOT_NEGATIVE = (
    "best_model_after_epoch",
    "num_export_samples",
    "learning_rate",
    "weight_decay",
    "warmup_steps",
    "max_grad_norm",
    "dataloader_num_workers",
    "eval_delay",
    "seed",
    "data_seed",
    "adam_epsilon",
    "neftune_noise_alpha",
)
_POSITIVE = ("num_train_epochs", "logging_steps", "save_steps", "eval_steps")
_BETWEEN = {
    "validation_ratio": (0.0, 1.0),
    "validation_split_percentage": (0, 100),
    "adam_beta1": (-1e-9, 1.0),
    "adam_beta2": (-1e-9, 1.0),
    "label_smoothing_factor": (-1e-9, 1.0),
}

_OBJECTS = (
    "lr_scheduler_kwargs",
    "activation_checkpointing_kwargs",
    "gradient_checkpointing_kwargs",
    "liger_kernel_config",
)
_FOR_SEVERAL_PROCESSES = ("fsdp", "deepspeed")
_COMPILE_MODES = ("default", "lite", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
_OBJECTS_OR_FILES = ("accelerator_config", "fsdp_config")


def require_objects(namespace: argparse.Namespace) -> None:
    """Refuses what is no JSON object where one is expected, what needs several processes, and flags at odds.

    Raises:
        ConfigError: there is such a value.
    """
    for name in _FOR_SEVERAL_PROCESSES:
        if getattr(namespace, name):
            raise ConfigError(f"--{name}: is for training in several processes, and a command trains in one")
    strategies = [str(getattr(value, "value", value)) for value in (namespace.eval_strategy, namespace.save_strategy)]
    if namespace.load_best_model_at_end and strategies[0] != strategies[1]:
        raise ConfigError(
            "--load_best_model_at_end: needs --eval_strategy and --save_strategy of the same value, got "
            f"'{strategies[0]}' and '{strategies[1]}'"
        )
    for name in (*_OBJECTS, *_OBJECTS_OR_FILES):
        text = getattr(namespace, name)
        if not isinstance(text, str) or (name in _OBJECTS_OR_FILES and Path(text).is_file()):
            continue
        try:
            is_object = isinstance(json.loads(text), dict)
        except json.JSONDecodeError:
            is_object = False
        if not is_object:
            or_file = ", or a file with one" if name in _OBJECTS_OR_FILES else ""
            raise ConfigError(f"--{name}: expected a JSON object{or_file}, got '{text}'")


def require_usable(training: transformers.TrainingArguments) -> None:
    """Refuses tools, kernels and compilers that are not there, and flags that need another.

    Raises:
        ConfigError: a name is unknown, or a flag lacks another.
        DependencyError: a package is not installed.
    """
    known, installed = sorted(INTEGRATION_TO_CALLBACK), get_available_reporting_integrations()
    for name in training.report_to or ():
        if name not in known:
            accepted = ", ".join(("none", "all", *known))
            raise ConfigError(f"--report_to: unknown tool '{name}'; accepted are {accepted}{did_you_mean(name, known)}")
        if name not in installed:
            raise DependencyError(f"--report_to: {name} is not installed; install it, or write none")
    if training.use_liger_kernel and not is_liger_kernel_available():
        raise DependencyError("--use_liger_kernel: liger-kernel is not installed; install it, or leave the flag out")
    backends = [backend.lower() for backend in DynamoBackend.__members__]
    for flag, value, accepted_values in (
        ("torch_compile_backend", training.torch_compile_backend, backends),
        ("torch_compile_mode", training.torch_compile_mode, _COMPILE_MODES),
    ):
        if value is not None and value.lower() not in accepted_values:
            raise ConfigError(
                f"--{flag}: expected one of {', '.join(accepted_values)}, got '{value}'"
                f"{did_you_mean(value, accepted_values)}"
            )
    if training.dataloader_persistent_workers and not training.dataloader_num_workers:
        raise ConfigError("--dataloader_persistent_workers: needs --dataloader_num_workers of 1 or more")
    for part in (training.optim_args or "").replace(" ", "").split(","):
        if part and "=" not in part:
            raise ConfigError(f"--optim_args: expected name=value,name=value, got '{training.optim_args}'")


def require_optimizer(trainer: Trainer) -> None:
    """Makes the optimizer and Hugging Face's scheduler once, to see that both can be made.

    Raises:
        ConfigError: a package or a setting that one of them needs is not there.
    """
    args = trainer.args
    flag = f"--optim {args.optim.value}"
    try:
        optimizer = trainer.create_optimizer()
        if trainer.recipe is None or trainer.recipe.learning_rate_at(0.0) is None:
            flag = f"--lr_scheduler_type {args.lr_scheduler_type.value}"
            trainer.create_scheduler(num_training_steps=1, optimizer=optimizer)
    except (ImportError, ValueError, TypeError) as error:
        raise ConfigError(f"{flag}: {' '.join(str(error).split())}") from None
    finally:
        trainer.optimizer = trainer.lr_scheduler = None
        trainer._created_lr_scheduler = False


def require_ranges(arguments: Arguments) -> None:
    """Refuses numbers that cannot be used.

    Raises:
        ConfigError: one is out of its range.
    """
    for part in (arguments.model, arguments.data, arguments.recipe, arguments.training):
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                _require(field.name, value)


def _require(name: str, value: Any) -> None:
    if not math.isfinite(value):
        expected = "a finite number"
    elif name in _AT_LEAST_ONE and value < 1:
        expected = "1 or more"
    elif name in _NOT_NEGATIVE and value < 0:
        expected = "0 or more"
    elif name in _POSITIVE and value <= 0:
        expected = "more than 0"
    elif name in _BETWEEN and not _BETWEEN[name][0] < value < _BETWEEN[name][1]:
        low, high = (round(limit) for limit in _BETWEEN[name])
        expected = f"a value between {low} and {high}"
    else:
        return
    raise ConfigError(f"--{name}: expected {expected}, got {value:g}")
