"""Compares ONNX Runtime with torch on generated token ids: for an export without a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sparse_core.errors import ExportError, Setting
from sparse_core.export.onnx import model_inputs
from sparse_core.export.sessions import OPTIMIZED, UNOPTIMIZED, open_session, rounded_forward, session_forward
from sparse_core.export.verify import TIMES_ROUNDING
from sparse_core.modifiers.distillation.losses import is_per_token
from sparse_core.modifiers.quantization.hf_quantizer import quantization_of
from sparse_core.tasks.inference import Forward, named_outputs, torch_forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sparse_core.tasks import Task

MAX_RELATIVE_DIFFERENCE = 0.05
"""Largest accepted root mean square of the differences, as a share of the spread of torch's outputs; more where
rounding alone does as much to a quantized model."""
_MOST_FOR_ROUNDING = 0.5
"""Largest difference that rounding excuses; a graph that ignores its input has 1."""
_SMALLEST_SPREAD = 1e-4
"""Share of the size of the outputs that counts as their spread where it is less: rounding of float32 is a hundredth."""
_NUM_BATCHES = 8
_BATCH_SIZE = 4
_SEED = 0


def compare_on_generated(
    model: PreTrainedModel, path: Path, task: Task, tokenizer: Any, sequence_length: int
) -> dict[str, float]:
    """Compares the outputs for rows of random tokens, of lengths up to `sequence_length`, some of them padded.

    The measure is the spread over rows, or over tokens where there is an output for each: what a graph that ignores
    its input would miss. What sets one class apart from another in every row is no part of it.

    Args:
        model: the model that `path` was exported from.
        path: the ONNX file.
        task: says which outputs count.
        tokenizer: its ordinary tokens are drawn from.
        sequence_length: longest row in tokens.

    Returns:
        The relative difference with all graph optimizations and with none, of the output that differs most.

    Raises:
        ExportError: one is above MAX_RELATIVE_DIFFERENCE, and above what rounding does to the model in torch.
        DependencyError: onnxruntime is not installed.
    """
    has_segments = "token_type_ids" in model_inputs(model) and "token_type_ids" in tokenizer.model_input_names
    batches = list(_batches(tokenizer, sequence_length, num_segments=2 if has_segments else 1))
    accepted = MAX_RELATIVE_DIFFERENCE
    if quantization_of(model) is not None:
        rounding = _relative_difference(model, rounded_forward(model, task), task, batches)
        accepted = max(accepted, min(TIMES_ROUNDING * rounding, _MOST_FOR_ROUNDING))
    differences = {}
    for name in (OPTIMIZED, UNOPTIMIZED):
        forward = session_forward(open_session(path, optimized=name == OPTIMIZED))
        differences[name] = _relative_difference(model, forward, task, batches)
        if not differences[name] <= accepted:  # "not <=" so that a NaN fails
            raise ExportError(
                "model",
                f"on generated tokens the outputs of the {name} ONNX Runtime session differ from torch's by "
                f"{differences[name]:.1%} of their spread, so nothing is published",
                accepted=f"at most {accepted:.1%}",
                fix=_advice(name),
            )
    return differences


def _advice(session_name: str) -> tuple[str | Setting, ...]:
    if session_name == OPTIMIZED:
        return ("if the int8 kernels of this CPU have overflowed, set ", Setting("weight_type"), " to uint8")
    return ("the exported graph differs from the model; give rows of the task to see where",)


def _relative_difference(
    model: PreTrainedModel, forward: Forward, task: Task, batches: list[dict[str, np.ndarray]]
) -> float:
    """Of the output of `forward` that differs most from torch's."""
    expected = torch_forward(model, task)
    comparisons = {output: _Comparison() for output in task.output_names}
    for batch in batches:
        right, other = (named_outputs(task, run(batch)) for run in (expected, forward))
        for output, comparison in comparisons.items():
            mask = batch["attention_mask"]
            comparison.add(_columns(output, right[output], mask), _columns(output, other[output], mask))
    return float(np.max([comparison.relative_difference() for comparison in comparisons.values()]))


class _Comparison:
    """Sums over rows of an output's columns: few rows are in memory, as an output over a vocabulary is large."""

    def __init__(self) -> None:
        self._num_rows = 0
        self._sum: Any = 0.0
        self._square_sum: Any = 0.0
        self._difference_sum: Any = 0.0

    def add(self, expected: np.ndarray, actual: np.ndarray) -> None:
        """Adds rows; both float32 (rows, columns)."""
        self._num_rows += len(expected)
        self._sum = self._sum + expected.sum(axis=0, dtype=np.float64)
        self._square_sum = self._square_sum + np.square(expected, dtype=np.float64).sum(axis=0)
        self._difference_sum = self._difference_sum + np.square(actual - expected, dtype=np.float64).sum(axis=0)

    def relative_difference(self) -> float:
        """Root mean square of the differences as a share of the columns' standard deviation over rows."""
        size = np.mean(self._square_sum / self._num_rows)
        variance = np.mean(self._square_sum / self._num_rows - np.square(self._sum / self._num_rows))
        smallest = np.maximum(size * _SMALLEST_SPREAD**2, np.finfo(np.float64).tiny)
        return float(np.sqrt(np.mean(self._difference_sum / self._num_rows) / np.maximum(variance, smallest)))


def _batches(tokenizer: Any, sequence_length: int, num_segments: int) -> Iterator[dict[str, np.ndarray]]:
    generator = np.random.default_rng(_SEED)
    special = set(tokenizer.all_special_ids)
    ordinary = np.array([index for index in sorted(tokenizer.get_vocab().values()) if index not in special])
    for number in range(1, _NUM_BATCHES + 1):
        length = max(sequence_length * number // _NUM_BATCHES, 1)
        ids = generator.choice(ordinary, (_BATCH_SIZE, length))
        lengths = generator.integers(1, length, _BATCH_SIZE, endpoint=True)
        lengths[0] = length
        mask = (np.arange(length) < lengths[:, None]).astype(np.int64)
        ids = np.where(mask == 1, ids, tokenizer.pad_token_id).astype(np.int64)
        segments = mask * generator.integers(0, num_segments, mask.shape)
        yield {"input_ids": ids, "attention_mask": mask, "token_type_ids": segments}


def _columns(name: str, output: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """(rows, columns) of an output: its rows, or its tokens that are no padding; one column for positions of spans."""
    rows = output[mask == 1] if is_per_token(name, torch.from_numpy(output)) else output
    return rows.reshape(len(rows), -1)
