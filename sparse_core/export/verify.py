"""Whether ONNX Runtime computes with an exported file what torch computes with the model, on real rows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import PreTrainedModel

from sparse_core.errors import DataError, ExportError, Setting
from sparse_core.export.sessions import OPTIMIZED, UNOPTIMIZED, open_session, rounded_forward, session_forward
from sparse_core.modifiers.distillation.losses import is_per_token
from sparse_core.modifiers.quantization.hf_quantizer import quantization_of
from sparse_core.tasks.inference import Forward, batches_by_length, named_outputs, torch_forward

if TYPE_CHECKING:
    from datasets import Dataset

    from sparse_core.tasks import Task
    from sparse_core.tasks.base import Collator

_TORCH = "torch"
_ROUNDED = "torch with other rounding"
TIMES_ROUNDING = 1.5
"""ONNX Runtime may change a quantized model's decisions this many times as often as rounding alone does."""
_MIN_ROUNDING_AGREEMENT = 0.5
"""Share of its own decisions that torch must keep under rounding; below it, agreement is chance."""
_STANDARD_DEVIATIONS = 2
_BATCH_SIZE = 8  # outputs over a whole vocabulary take 15 MB for each row of 128 tokens


@dataclass(frozen=True)
class Tolerance:
    """How far ONNX Runtime may differ from torch, besides what rounding alone does to a quantized model."""

    min_agreement: float = 0.99
    """Smallest share of equal decisions; see `Task.agreement`."""
    max_metric_loss: float = 0.005
    """Largest drop of the task's metric from torch to ONNX Runtime, in the metric's unit."""


@dataclass(frozen=True)
class SessionResult:
    """What one kind of ONNX Runtime session computed, compared with torch."""

    agreement: float
    """Share of equal decisions, 0 to 1."""
    metrics: dict[str, float]
    max_abs_difference: float
    """Largest difference of an output, without padding."""


@dataclass(frozen=True)
class Verification:
    """The outcome of `verify`."""

    num_rows: int
    metric: str
    tolerance: Tolerance
    torch_metrics: dict[str, float]
    rounding_agreement: float
    """Share of its own decisions that torch keeps when sums are rounded in another way, 0 to 1; 1 for a float model.

    In a quantized model, a value near the border between two integers can fall on either side.
    """
    sessions: dict[str, SessionResult]
    """By `optimized` (all graph optimizations, integer kernels) and `unoptimized` (each node as written)."""

    @property
    def min_agreement(self) -> float:
        """The smallest agreement that is accepted; rounding is no excuse where it decides most of the answers."""
        if self.rounding_agreement < _MIN_ROUNDING_AGREEMENT:
            return self.tolerance.min_agreement
        return min(self.tolerance.min_agreement, 1 - TIMES_ROUNDING * (1 - self.rounding_agreement))

    @property
    def max_metric_loss(self) -> float:
        """The largest drop of the metric that is accepted.

        When a share p of n decisions changes at random, each for better or worse, a mean over them moves with a
        standard deviation of at most sqrt(p / n).
        """
        spread = math.sqrt((1 - self.rounding_agreement) / self.num_rows)
        return max(self.tolerance.max_metric_loss, _STANDARD_DEVIATIONS * spread)

    def to_dict(self) -> dict[str, Any]:
        """JSON form, kept as verification.json."""
        return asdict(self)


def verify(
    model: PreTrainedModel,
    path: Path,
    task: Task,
    rows: Dataset,
    examples: Dataset,
    collator: Collator,
    *,
    tolerance: Tolerance,
) -> Verification:
    """Runs rows through torch and through ONNX Runtime with all graph optimizations and with none.

    Without graph optimizations the nodes run in float as written; with them they become integer kernels. Where the
    optimized session alone is off, the kernels of this CPU have overflowed.

    Args:
        model: the model that `path` was exported from, in float32; runs in eval mode.
        path: the ONNX file.
        task: says what the outputs mean, how they are scored, and when two agree.
        rows: tokenized rows of the validation split.
        examples: that split before tokenization.
        collator: of the task.
        tolerance: what is accepted, about the task's primary metric.

    Raises:
        DataError: `rows` is empty.
        ExportError: a session is beyond the tolerance.
        DependencyError: onnxruntime is not installed.
    """
    if len(rows) == 0:
        raise DataError("dataset", "the validation split has no rows to compare torch and ONNX Runtime on")
    forwards = {_TORCH: torch_forward(model, task)}
    if quantization_of(model) is not None:
        forwards[_ROUNDED] = rounded_forward(model, task)
    for name in (OPTIMIZED, UNOPTIMIZED):
        forwards[name] = session_forward(open_session(path, optimized=name == OPTIMIZED))
    predictions, differences = _run_side_by_side(forwards, task, rows, collator)
    scores = {name: task.score(predicted, rows, examples) for name, predicted in predictions.items()}
    verification = Verification(
        num_rows=len(rows),
        metric=task.primary_metric,
        tolerance=tolerance,
        torch_metrics=scores[_TORCH],
        rounding_agreement=task.agreement(predictions[_TORCH], predictions.get(_ROUNDED, predictions[_TORCH])),
        sessions={
            name: SessionResult(
                agreement=task.agreement(predictions[_TORCH], predictions[name]),
                metrics=scores[name],
                max_abs_difference=differences[name],
            )
            for name in (OPTIMIZED, UNOPTIMIZED)
        },
    )
    _require_within_tolerance(verification)
    return verification


def _run_side_by_side(
    forwards: Mapping[str, Forward], task: Task, rows: Dataset, collator: Collator
) -> tuple[dict[str, list[Any]], dict[str, float]]:
    """Predictions of each in the order of the rows, and the largest difference of its outputs from torch's.

    torch must be the first of `forwards`. The outputs of few rows are in memory at a time.
    """
    predictions: dict[str, list[Any]] = {name: [None] * len(rows) for name in forwards}
    differences = dict.fromkeys(forwards, 0.0)
    for numbers, columns, inputs in batches_by_length(task, rows, collator, _BATCH_SIZE):
        expected: dict[str, np.ndarray] = {}
        for name, forward in forwards.items():
            outputs = named_outputs(task, forward(inputs))
            for number, prediction in zip(numbers, task.predictions(outputs, columns), strict=True):
                predictions[name][number] = prediction
            if name == _TORCH:
                expected = outputs
            difference = _max_abs_difference(expected, outputs, inputs["attention_mask"].astype(bool))
            differences[name] = float(np.maximum(differences[name], difference))  # max() would lose a NaN
    return predictions, differences


def _max_abs_difference(
    expected: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray], mask: np.ndarray
) -> float:
    """Largest difference of any output; `mask` (batch, tokens) says which tokens count where outputs are of tokens."""
    differences = []
    for name, values in expected.items():
        difference = np.abs(actual[name] - values)
        differences.append((difference[mask] if is_per_token(name, torch.from_numpy(values)) else difference).max())
    return float(np.max(differences))


def _require_within_tolerance(verification: Verification) -> None:
    metric, min_agreement, max_loss = verification.metric, verification.min_agreement, verification.max_metric_loss
    expected = verification.torch_metrics[metric]
    for name, result in verification.sessions.items():
        where = f"of the {name} ONNX Runtime session over {verification.num_rows} validation rows"
        if not math.isfinite(result.max_abs_difference):
            raise ExportError(
                "model",
                f"an output of torch or {where} is not a finite number",
                fix="check the weights: they are damaged, or the training has diverged",
            )
        # "not >=" so that a NaN fails
        if not result.agreement >= min_agreement:
            _require_decided_answers(verification, result.agreement)
            raise ExportError(
                "min_agreement",
                f"{result.agreement:.2%} of the predictions {where} equal torch's (an output differs by up to "
                f"{result.max_abs_difference:.3g})",
                accepted=f"at least {min_agreement:.2%}",
                fix=_advice(name),
            )
        if not expected - result.metrics[metric] <= max_loss:
            raise ExportError(
                "max_metric_loss",
                f"{metric} {where} is {result.metrics[metric]:.4f}, and torch's is {expected:.4f}",
                accepted=f"a loss of at most {max_loss:g}",
                fix=_advice(name),
            )


def _require_decided_answers(verification: Verification, agreement: float) -> None:
    kept = verification.rounding_agreement
    if kept < _MIN_ROUNDING_AGREEMENT:
        raise ExportError(
            "min_agreement",
            f"torch keeps only {kept:.2%} of its own predictions when sums are rounded in another way, so the "
            f"agreement of {agreement:.2%} with ONNX Runtime verifies nothing",
            accepted=f"at least {_MIN_ROUNDING_AGREEMENT:.0%} kept",
            fix="train the model further, or set a smaller min_agreement",
        )


def _advice(session_name: str) -> tuple[str | Setting, ...]:
    if session_name == OPTIMIZED:
        return (
            "if the unoptimized session agrees, the int8 kernels of this CPU have overflowed: set ",
            Setting("weight_type"),
            " to uint8",
        )
    return ("the exported graph differs from the model; train longer with frozen ranges or raise the tolerance",)
