"""Training by a recipe, on Hugging Face's Trainer."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["Trainer", "TrainingArguments"]

_MODULES = {"Trainer": "sparse_core.training.trainer", "TrainingArguments": "sparse_core.training.arguments"}


def __getattr__(name: str) -> Any:
    # The command lines read the settings of a training, and must not wait for torch.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
