"""Values of flags that cannot be used, refused before anything is read; those of a training are in training.checks."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from sparse_core.errors import ConfigError
from sparse_core.training.checks import AT_LEAST_ONE, NOT_NEGATIVE, RANGES, Range, require_in_range

_RANGES: Mapping[str, Range] = {
    **RANGES,
    **dict.fromkeys(
        ("max_train_samples", "max_eval_samples", "max_predict_samples", "preprocessing_num_workers"), AT_LEAST_ONE
    ),
    "num_export_samples": NOT_NEGATIVE,
    "validation_ratio": Range("a value between 0 and 1", lambda value: 0 < value < 1),
    "validation_split_percentage": Range("a value between 0 and 100", lambda value: 0 < value < 100),
}
"""Flag -> what it may be."""

_OBJECTS = (
    "lr_scheduler_kwargs",
    "activation_checkpointing_kwargs",
    "gradient_checkpointing_kwargs",
    "liger_kernel_config",
)
_FOR_SEVERAL_PROCESSES = ("fsdp", "deepspeed")
_OBJECTS_OR_FILES = ("accelerator_config", "fsdp_config")


def require_objects(namespace: argparse.Namespace) -> None:
    """Refuses texts that are not JSON objects, flags that need several processes, and flags that contradict each other.

    Raises:
        ConfigError: there is such a value.
    """
    for name in _FOR_SEVERAL_PROCESSES:
        if getattr(namespace, name):
            raise ConfigError(f"--{name}", "is for training in several processes, and a command trains in one")
    strategies = [str(getattr(value, "value", value)) for value in (namespace.eval_strategy, namespace.save_strategy)]
    if namespace.load_best_model_at_end and strategies[0] != strategies[1]:
        raise ConfigError(
            "--load_best_model_at_end",
            "needs --eval_strategy and --save_strategy of the same value",
            got=strategies,
            accepted="two equal values",
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
            raise ConfigError(f"--{name}", accepted=f"a JSON object{or_file}", got=text)


def require_ranges(parts: Iterable[Any]) -> None:
    """Refuses numbers that cannot be used.

    Args:
        parts: dataclasses of flags.

    Raises:
        ConfigError: a number is out of its range.
    """
    for part in parts:
        for field in dataclasses.fields(part):
            require_in_range(field.name, getattr(part, field.name), _RANGES)
