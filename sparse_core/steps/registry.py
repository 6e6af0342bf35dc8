"""The only list of the steps, in the order of a pipeline."""

from __future__ import annotations

from importlib import import_module

from sparse_core.errors import ConfigError, listed, nearest
from sparse_core.steps.spec import Step

STEPS = (
    "fetch_dataset",
    "fetch_model",
    "fetch_recipe",
    "train_teacher",
    "prune",
    "sparse_transfer",
    "qat_finalize",
    "export_onnx",
    "benchmark",
)
"""Names of all steps. The module of this name holds the `Step` of this name."""


def load_step(name: str) -> Step:
    """The step called `name`.

    Raises:
        ConfigError: there is no such step.
    """
    if name not in STEPS:
        raise ConfigError(
            "step", f"unknown step '{name}'", accepted=f"one of {listed(STEPS)}", fix=nearest(name, STEPS)
        )
    return getattr(import_module(f"sparse_core.steps.{name}"), name)
