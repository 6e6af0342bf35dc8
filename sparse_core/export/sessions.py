"""What a check compares: ONNX Runtime with and without graph optimizations, and torch with other rounding."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from transformers import PreTrainedModel

from sparse_core.errors import DependencyError
from sparse_core.tasks.inference import Forward, torch_forward

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

    from sparse_core.tasks import Task

OPTIMIZED, UNOPTIMIZED = "optimized", "unoptimized"
"""Sessions with all graph optimizations (integer kernels) and with none (each node as written)."""
_ROUNDING = 1e-6
"""Relative change of a weight that stands for adding float32 numbers in another order; float32 has 6e-8."""


def open_session(path: Path, *, optimized: bool) -> InferenceSession:
    """An ONNX Runtime session on the CPU with all graph optimizations, or with none.

    Raises:
        DependencyError: onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise DependencyError(
            "", "onnxruntime is not installed", fix="pip install 'sparse-pipelines[export]'"
        ) from None
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
    """Torch with biases and normalization weights that differ by about one part in a million.

    The difference stands for sums in another order, so it shows what rounding alone does to the model.
    """
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
