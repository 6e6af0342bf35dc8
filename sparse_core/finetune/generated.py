"""Whether ONNX Runtime computes what torch computes, on made-up token ids: for an export without a data set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparse_core.errors import ExportError
from sparse_core.export.verify import open_session, session_forward
from sparse_core.tasks.inference import named_outputs, torch_forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sparse_core.tasks import Task

MAX_RELATIVE_DIFFERENCE = 0.05
"""Largest accepted root mean square of the differences, as a share of the standard deviation of torch's outputs."""
_NUM_BATCHES = 8
_BATCH_SIZE = 4
_SEED = 0


def compare_on_generated(
    model: PreTrainedModel, path: Path, task: Task, tokenizer: Any, sequence_length: int
) -> dict[str, float]:
    """Compares the outputs for rows of random tokens, of lengths up to `sequence_length`, some of them padded.

    Args:
        model: the model that `path` was exported from.
        path: the ONNX file.
        task: says which outputs count.
        tokenizer: its ordinary tokens are drawn from.
        sequence_length: longest row in tokens.

    Returns:
        The relative difference with all graph optimizations and with none.

    Raises:
        ExportError: one is above MAX_RELATIVE_DIFFERENCE.
        DependencyError: onnxruntime is not installed.
    """
    expected = torch_forward(model, task)
    batches = list(_batches(tokenizer, sequence_length))
    found = {}
    for name in ("optimized", "unoptimized"):
        forward = session_forward(open_session(path, optimized=name == "optimized"))
        differences, outputs = [], []
        for batch in batches:
            right, other = (named_outputs(task, run(batch)) for run in (expected, forward))
            for output in task.output_names:
                rows = _without_padding(right[output], batch["attention_mask"])
                outputs.append(rows)
                differences.append(rows - _without_padding(other[output], batch["attention_mask"]))
        spread = float(np.concatenate(outputs).std())
        found[name] = float(np.sqrt(np.mean(np.square(np.concatenate(differences))))) / max(spread, 1e-12)
        if not found[name] <= MAX_RELATIVE_DIFFERENCE:  # "not <=" so that a NaN fails
            raise ExportError(
                f"export_onnx: on generated tokens the outputs of the {name} ONNX Runtime session differ from torch's "
                f"by {found[name]:.1%} of their spread, expected at most {MAX_RELATIVE_DIFFERENCE:.0%}; nothing is "
                "published; if this CPU lacks VNNI, its int8 kernels may have overflowed: add --weight_type uint8"
            )
    return found


def _batches(tokenizer: Any, sequence_length: int) -> Iterator[dict[str, np.ndarray]]:
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
        yield {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}


def _without_padding(output: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The values of rows, or of tokens that are no padding, as one axis."""
    return (output[mask == 1] if output.shape[:2] == mask.shape else output).ravel()
