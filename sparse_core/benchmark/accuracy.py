"""Logits of a whole data set from any engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sparse_core.benchmark.engines.base import Forward

if TYPE_CHECKING:
    from datasets import Dataset


def predict(forward: Forward, rows: Dataset, collator: Callable[[list], Any], batch_size: int) -> np.ndarray:
    """Logits in the order of `rows`, float32 of (len(rows), num_labels).

    Batches hold rows of like length, so that little is padded.

    Args:
        forward: the loaded engine.
        rows: tokenized rows with a `length` column.
        collator: pads a list of rows to tensors.
        batch_size: rows per call.
    """
    order = np.argsort(rows["length"], kind="stable")
    logits: np.ndarray | None = None
    for start in range(0, len(order), batch_size):
        indexes = order[start : start + batch_size]
        batch = collator([rows[int(index)] for index in indexes])
        answer = forward({name: tensor.numpy() for name, tensor in batch.items() if name != "labels"})
        if logits is None:
            logits = np.empty((len(order), *answer.shape[1:]), dtype=np.float32)
        logits[indexes] = answer
    return logits if logits is not None else np.empty((0, 0), dtype=np.float32)
