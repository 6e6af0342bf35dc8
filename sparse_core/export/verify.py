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

from sparse_core.errors import DataError, DependencyError, ExportError
from sparse_core.modifiers.distillation.losses import is_per_token
from sparse_core.modifiers.quantization.hf_quantizer import quantization_of
from sparse_core.tasks.inference import Forward, batches_by_length, named_outputs, torch_forward

if TYPE_CHECKING:
    from datasets import Dataset
    from onnxruntime import InferenceSession

    from sparse_core.tasks import Task
    from sparse_core.tasks.base import Collator

_OPTIMIZED = "optimized"
_UNOPTIMIZED = "unoptimized"
_TORCH = "torch"
_ROUNDED = "torch with other rounding"
_ROUNDING = 1e-6
"""Relative change of a weight that stands for adding float32 numbers in another order; float32 has 6e-8."""
TIMES_ROUNDING = 1.5
"""How many times what rounding alone does to a quantized model is accepted of ONNX Runtime."""
_MIN_ROUNDING_AGREEMENT = 0.5
"""Share of its decisions that a model must keep; below, most are chance, and to agree with them shows nothing."""
_STANDARD_DEVIATIONS = 2
_BATCH_SIZE = 8  # outputs over a whole vocabulary take 15 MB for each row of 128 tokens


@dataclass(frozen=True)
class Tolerance:
    """How far ONNX Runtime may differ from torch; what rounding alone does to a quantized model is allowed besides."""

    min_agreement: float = 0.99
    """Smallest share of the task's decisions that both make alike; see `Task.agreement`."""
    max_metric_loss: float = 0.005
    """Largest drop of the task's metric from torch to ONNX Runtime, in the metric's own unit."""


@dataclass(frozen=True)
class SessionResult:
    """What one kind of ONNX Runtime session computed, against torch."""

    agreement: float
    """Share of the decisions that both make alike, 0 to 1."""
    metrics: dict[str, float]
    max_abs_difference: float
    """Largest difference of an output, padding left out."""


@dataclass(frozen=True)
class Verification:
    """The outcome of `verify`."""

    num_rows: int
    metric: str
    tolerance: Tolerance
    torch_metrics: dict[str, float]
    rounding_agreement: float
    """Share of the decisions that torch itself keeps when sums are rounded in another way, 0 to 1; 1 for a float model.

    A value at the border between two integers of a quantized model falls on either side, and what follows differs.
    """
    sessions: dict[str, SessionResult]
    """By `optimized` (all graph optimizations, integer kernels) and `unoptimized` (each node as written)."""

    @property
    def min_agreement(self) -> float:
        """The smallest agreement that is accepted; rounding excuses nothing where it decides most of the answers."""
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
        raise DataError("num_verification_rows: the validation split has no rows to compare torch and ONNX Runtime on")
    forwards = {_TORCH: torch_forward(model, task)}
    if quantization_of(model) is not None:
        forwards[_ROUNDED] = rounded_forward(model, task)
    for name in (_OPTIMIZED, _UNOPTIMIZED):
        forwards[name] = session_forward(open_session(path, optimized=name == _OPTIMIZED))
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
            for name in (_OPTIMIZED, _UNOPTIMIZED)
        },
    )
    _require_within_tolerance(verification)
    return verification


def open_session(path: Path, *, optimized: bool) -> InferenceSession:
    """An ONNX Runtime session on the CPU with all graph optimizations, or with none.

    Raises:
        DependencyError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise DependencyError("onnxruntime is not installed; pip install 'sparse-pipelines[export]'") from None
    options = onnxruntime.SessionOptions()
    levels = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimized else levels.ORT_DISABLE_ALL
    # Threads that spin while they wait slow everything down on a shared machine, and nothing is timed here.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def session_forward(session: InferenceSession) -> Forward:
    """Runs a session on those inputs that it declares, and gives its outputs by name."""
    declared = [entry.name for entry in session.get_inputs()]
    names = [entry.name for entry in session.get_outputs()]

    def forward(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(zip(names, session.run(names, {name: inputs[name] for name in declared}), strict=True))

    return forward


def rounded_forward(model: PreTrainedModel, task: Task) -> Forward:
    """Torch again, with biases and normalization weights that differ by about one part in a million."""
    generator = torch.Generator().manual_seed(0)
    weights = [weight for weight in model.parameters() if weight.dim() == 1]
    noise = [torch.randn(weight.shape, generator=generator).to(weight.device) for weight in weights]
    rounded = [weight.detach() * (1 + _ROUNDING * factor) for weight, factor in zip(weights, noise, strict=True)]
    forward = torch_forward(model, task)

    def run(inputs: dict[str, np.ndarray]) -> Any:
        originals = [weight.detach().clone() for weight in weights]
        _set(weights, rounded)
        try:
            return forward(inputs)
        finally:
            _set(weights, originals)

    return run


@torch.no_grad()
def _set(weights: list[torch.nn.Parameter], values: list[torch.Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)


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


def _max_abs_difference(expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray], mask: np.ndarray) -> float:
    """Largest difference of any output; `mask` (batch, tokens) says which tokens count where outputs are of tokens."""
    differences = []
    for name, values in expected.items():
        difference = np.abs(found[name] - values)
        differences.append((difference[mask] if is_per_token(name, torch.from_numpy(values)) else difference).max())
    return float(np.max(differences))


def _require_within_tolerance(verification: Verification) -> None:
    metric, min_agreement, max_loss = verification.metric, verification.min_agreement, verification.max_metric_loss
    expected = verification.torch_metrics[metric]
    for name, result in verification.sessions.items():
        where = f"of the {name} ONNX Runtime session over {verification.num_rows} validation rows"
        if not math.isfinite(result.max_abs_difference):
            raise ExportError(
                f"model: an output of torch or {where} is not a finite number; the weights are damaged, or the "
                "training has diverged"
            )
        # "not >=" so that a NaN fails
        if not result.agreement >= min_agreement:
            _require_decided_answers(verification, result.agreement)
            raise ExportError(
                f"min_agreement: expected at least {min_agreement:.2%} of predictions {where} to equal "
                f"torch's, got {result.agreement:.2%} (an output differs by up to {result.max_abs_difference:.3g}); "
                f"{_advice(name)}"
            )
        if not expected - result.metrics[metric] <= max_loss:
            raise ExportError(
                f"max_metric_loss: expected {metric} {where} to be at most {max_loss:g} below torch's "
                f"{expected:.4f}, got {result.metrics[metric]:.4f}; {_advice(name)}"
            )


def _require_decided_answers(verification: Verification, agreement: float) -> None:
    kept = verification.rounding_agreement
    if kept < _MIN_ROUNDING_AGREEMENT:
        raise ExportError(
            f"min_agreement: torch itself keeps only {kept:.2%} of the model's predictions when sums are rounded in "
            f"another way (at least {_MIN_ROUNDING_AGREEMENT:.0%} is needed), so the agreement of {agreement:.2%} with "
            f"ONNX Runtime verifies nothing; train the model further, or accept this with a smaller min_agreement "
            f"(now {verification.tolerance.min_agreement:g})"
        )


def _advice(session_name: str) -> str:
    if session_name == _OPTIMIZED:
        return "if this CPU lacks VNNI, its int8 kernels may have overflowed: export with weight_type uint8"
    return "the exported graph differs from the model; train longer with frozen ranges or raise the tolerance"
