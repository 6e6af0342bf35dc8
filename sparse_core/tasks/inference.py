"""Runs a torch model over a data set, for scores and comparisons outside of training."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from transformers import PreTrainedModel

    from sparse_core.tasks.base import Collator


def predict_torch(model: PreTrainedModel, dataset: Dataset, collator: Collator, batch_size: int) -> np.ndarray:
    """Logits of every row, in the order of the rows.

    Batches hold rows of like length, so that little is padded. The model runs in eval mode and is left in its own.

    Args:
        model: runs on the device where it is.
        dataset: tokenized rows with the column `length`.
        collator: of the task.
        batch_size: rows in one forward pass.

    Returns:
        Float32 array, (rows, ...).
    """
    import numpy as np
    import torch

    was_training = model.training
    model.eval()
    order = np.argsort(-np.asarray(dataset["length"][:]), kind="stable")
    parts = []
    with torch.inference_mode():
        for start in range(0, len(order), batch_size):
            columns = dataset[order[start : start + batch_size]]
            rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
            batch = {name: tensor.to(model.device) for name, tensor in collator(rows).items() if name != "labels"}
            parts.append(model(**batch).logits.float().cpu().numpy())
    model.train(was_training)
    sorted_logits = np.concatenate(parts)
    logits = np.empty_like(sorted_logits)
    logits[order] = sorted_logits
    return logits
