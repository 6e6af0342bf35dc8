"""Runs a step inside a pipeline component: prints errors as one line, and logs finite metrics and the step's time."""

from __future__ import annotations

import gc
import logging
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from sparse_core.cli.boundary import process_boundary
from sparse_core.cli.logs import configure_logging
from sparse_core.store import write_json

STEP_SECONDS = "step_seconds"
"""Metric: wall time of the step function in seconds, including the import of its libraries."""

logger = logging.getLogger(__name__)


class MetricsArtifact(Protocol):
    """The used part of a `kfp.dsl.Metrics` output; declared here because this library never imports kfp."""

    path: str

    def log_metric(self, metric: str, value: float) -> None:
        """Adds one number to the metrics of the run."""


def run_step(step: Callable[..., dict[str, Any]], metrics: MetricsArtifact, **arguments: Any) -> None:
    """Runs `step` in this process and logs the finite numbers that it returns.

    The metrics are also written to `metrics.path` as JSON, because kfp.local runs a task again if one of its outputs is
    not on disk.

    Args:
        step: a function of `sparse_core.steps`.
        metrics: output for the numbers.
        arguments: the step's arguments by name; an artifact is replaced by its path.

    Raises:
        SystemExit: the step refused its input (code 1) or was interrupted (code 130); one line says why.
    """
    configure_logging(stream=sys.stdout)
    with process_boundary():
        started = time.perf_counter()
        results = step(**{name: _plain(value) for name, value in arguments.items()})
        numbers = finite_numbers({**results, STEP_SECONDS: time.perf_counter() - started})
        for name, number in numbers.items():
            metrics.log_metric(name, number)
        write_json(Path(metrics.path), numbers)
        logger.info("%s: %.3f", STEP_SECONDS, numbers[STEP_SECONDS])
    # The process ends here. Without this, a last garbage collection would spend a second on torch's objects.
    gc.freeze()


def _plain(value: Any) -> Any:
    """Replaces artifacts by their paths and restores whole numbers inside mappings."""
    if hasattr(value, "path"):
        return Path(value.path)
    if isinstance(value, dict):
        return {name: _plain(entry) if hasattr(entry, "path") else _whole(entry) for name, entry in value.items()}
    return value


def _whole(value: Any) -> Any:
    """Turns whole numbers back into ints, because KFP turns all numbers in mappings and lists into floats."""
    if isinstance(value, dict):
        return {name: _whole(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_whole(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def finite_numbers(results: dict[str, Any]) -> dict[str, float]:
    """The entries of `results` that a KFP metric can hold: finite numbers, as floats."""
    return {
        name: float(value)
        for name, value in results.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }
