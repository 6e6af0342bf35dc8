"""Whether ONNX Runtime computes with an exported file what torch computes with the model, on real rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from sparse_core.errors import DataError, DependencyError, ExportError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

ComputeMetrics = Callable[[np.ndarray, np.ndarray], dict[str, float]]

_OPTIMIZED = "optimized"
_UNOPTIMIZED = "unoptimized"
_LABELS = "labels"
_LOGITS = "logits"


@dataclass(frozen=True)
class Tolerance:
    """How far ONNX Runtime may differ from torch."""

    min_agreement: float = 0.99
    """Smallest fraction of rows on which both pick the same class."""
    max_metric_loss: float = 0.005
    """Largest drop of the task's metric from torch to ONNX Runtime, in the metric's own unit."""


@dataclass(frozen=True)
class SessionResult:
    """What one kind of ONNX Runtime session computed, against torch."""

    agreement: float
    """Fraction of rows with the same class, 0 to 1."""
    metrics: dict[str, float]
    max_abs_difference: float
    """Largest difference of a logit."""


@dataclass(frozen=True)
class Verification:
    """The outcome of `verify`."""

    num_rows: int
    metric: str
    tolerance: Tolerance
    torch_metrics: dict[str, float]
    sessions: dict[str, SessionResult]
    """By `optimized` (all graph optimizations, integer kernels) and `unoptimized` (each node as written)."""

    def to_dict(self) -> dict[str, Any]:
        """JSON form, kept as verification.json."""
        return asdict(self)


def verify(
    model: PreTrainedModel,
    path: Path,
    batches: Iterable[Mapping[str, Tensor]],
    compute_metrics: ComputeMetrics,
    *,
    metric: str,
    tolerance: Tolerance,
) -> Verification:
    """Runs `batches` through torch and through ONNX Runtime with all graph optimizations and with none.

    Without graph optimizations the nodes run in float as written; with them they become integer kernels. Where the
    optimized session alone is off, the kernels of this CPU have overflowed.

    Args:
        model: the model that `path` was exported from, in float32; put into eval mode.
        path: the ONNX file.
        batches: model inputs and `labels`, tensors of (batch, ...), each batch padded to its longest row.
        compute_metrics: metrics by name from logits (rows, classes) and labels (rows,).
        metric: name of the metric that `tolerance` is about; larger is better.
        tolerance: what is accepted.

    Raises:
        DataError: `batches` is empty.
        ExportError: a session is beyond the tolerance.
        DependencyError: onnxruntime is not installed.
    """
    sessions = {name: open_session(path, optimized=name == _OPTIMIZED) for name in (_OPTIMIZED, _UNOPTIMIZED)}
    expected, labels, found = _logits_of_all(model, sessions, batches)
    torch_metrics = compute_metrics(expected, labels)
    verification = Verification(
        num_rows=len(labels),
        metric=metric,
        tolerance=tolerance,
        torch_metrics=torch_metrics,
        sessions={
            name: SessionResult(
                agreement=float((logits.argmax(-1) == expected.argmax(-1)).mean()),
                metrics=compute_metrics(logits, labels),
                max_abs_difference=float(np.abs(logits - expected).max()),
            )
            for name, logits in found.items()
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


@torch.no_grad()
def _logits_of_all(
    model: PreTrainedModel, sessions: dict[str, InferenceSession], batches: Iterable[Mapping[str, Tensor]]
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Logits of torch (rows, classes), labels (rows,), and logits of each session."""
    model.eval()
    expected: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    found: dict[str, list[np.ndarray]] = {name: [] for name in sessions}
    for batch in batches:
        inputs = {name: value for name, value in batch.items() if name != _LABELS}
        on_device = {name: value.to(model.device) for name, value in inputs.items()}
        expected.append(model(**on_device).logits.float().cpu().numpy())
        labels.append(batch[_LABELS].numpy())
        for name, session in sessions.items():
            feed = {entry.name: inputs[entry.name].numpy() for entry in session.get_inputs()}
            found[name].append(session.run([_LOGITS], feed)[0])
    if not labels:
        raise DataError("num_verification_rows: the validation split has no rows to compare torch and ONNX Runtime on")
    return (
        np.concatenate(expected),
        np.concatenate(labels),
        {name: np.concatenate(logits) for name, logits in found.items()},
    )


def _require_within_tolerance(verification: Verification) -> None:
    tolerance, metric = verification.tolerance, verification.metric
    expected = verification.torch_metrics[metric]
    for name, result in verification.sessions.items():
        where = f"of the {name} ONNX Runtime session over {verification.num_rows} validation rows"
        # "not >=" so that a NaN fails
        if not result.agreement >= tolerance.min_agreement:
            raise ExportError(
                f"min_agreement: expected at least {tolerance.min_agreement:.2%} of predictions {where} to equal "
                f"torch's, got {result.agreement:.2%} (largest logit difference {result.max_abs_difference:.3g}); "
                f"{_advice(name)}"
            )
        if not expected - result.metrics[metric] <= tolerance.max_metric_loss:
            raise ExportError(
                f"max_metric_loss: expected {metric} {where} to be at most {tolerance.max_metric_loss:g} below torch's "
                f"{expected:.4f}, got {result.metrics[metric]:.4f}; {_advice(name)}"
            )


def _advice(session_name: str) -> str:
    if session_name == _OPTIMIZED:
        return "if this CPU lacks VNNI, its int8 kernels may have overflowed: export with weight_type uint8"
    return "the exported graph differs from the model; train longer with frozen ranges or raise the tolerance"
