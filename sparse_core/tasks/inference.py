"""Predictions of a torch model over a tokenized split."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from sparse_core.tasks.base import Collator

NOT_INPUTS = ("labels", "length")


def length_sorted_batches(dataset: Dataset, batch_size: int) -> list[list[int]]:
    """Row numbers in batches of like length, the longest first."""
    lengths = dataset["length"]
    order = sorted(range(len(dataset)), key=lambda row: -lengths[row])
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]


@torch.inference_mode()
def predict_torch(model: PreTrainedModel, dataset: Dataset, collator: Collator, batch_size: int) -> np.ndarray:
    """Logits (num_rows, num_labels), float32, in the order of the rows; the model is left in the mode it was in."""
    was_training = model.training
    model.eval()
    inputs = dataset.remove_columns([name for name in NOT_INPUTS if name in dataset.column_names])
    logits: list[np.ndarray] = [np.empty(0)] * len(dataset)
    for rows in length_sorted_batches(dataset, batch_size):
        features = inputs[rows]
        batch = collator([{name: values[i] for name, values in features.items()} for i in range(len(rows))])
        outputs = model(**{name: value.to(model.device) for name, value in batch.items()})
        for row, value in zip(rows, outputs.logits.float().cpu().numpy(), strict=True):
            logits[row] = value
    model.train(was_training)
    return np.stack(logits)
