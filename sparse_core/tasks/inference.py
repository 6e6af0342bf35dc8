"""Runs a model, in whichever engine, over tokenized rows and gives the task's predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from transformers import PreTrainedModel

    from sparse_core.tasks.base import Collator, Task

Forward = Callable[["dict[str, np.ndarray]"], "Mapping[str, np.ndarray] | Sequence[np.ndarray]"]
"""Inputs of a batch by name, int64 (batch, tokens), to float32 outputs: by name, or in the order of the model's."""


def predict(forward: Forward, task: Task, rows: Dataset, collator: Collator, batch_size: int) -> list[Any]:
    """The task's prediction for each row, in the order of the rows.

    Args:
        forward: runs the model. May get inputs that the model does not take.
        task: reads the outputs.
        rows: tokenized rows.
        collator: of the task, not for training.
        batch_size: rows in one forward pass.
    """
    predictions: list[Any] = [None] * len(rows)
    for numbers, columns, inputs in batches_by_length(task, rows, collator, batch_size):
        outputs = named_outputs(task, forward(inputs))
        for number, prediction in zip(numbers, task.predictions(outputs, columns), strict=True):
            predictions[number] = prediction
    return predictions


def batches_by_length(
    task: Task, rows: Dataset, collator: Collator, batch_size: int
) -> Iterator[tuple[list[int], dict[str, list], dict[str, np.ndarray]]]:
    """Yields the batches of all rows, those of like length together, the longest first.

    Yields:
        Numbers of the rows, their columns as lists, and the inputs of the padded batch without label columns.
    """
    order = rows_by_length(rows)
    for start in range(0, len(order), batch_size):
        numbers = order[start : start + batch_size].tolist()
        columns = rows[numbers]
        batch = collator([dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)])
        yield numbers, columns, {name: x.numpy() for name, x in batch.items() if name not in task.label_columns}


def rows_by_length(rows: Dataset) -> np.ndarray:
    """Numbers of the rows from the longest to the shortest, equal ones as they come; int64 (rows,)."""
    import numpy as np
    import pyarrow.compute as pc

    # through Python lists this takes seconds for a million rows
    lengths = pc.list_value_length(rows.with_format("arrow")["input_ids"][:])
    return np.argsort(-lengths.to_numpy().astype(np.int64), kind="stable")


def named_outputs(task: Task, outputs: Mapping[str, np.ndarray] | Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The outputs that predictions are made from, float32, by their names."""
    import numpy as np

    named = outputs if isinstance(outputs, Mapping) else dict(zip(task.output_names, outputs, strict=False))
    return {name: np.asarray(named[name], dtype=np.float32) for name in task.output_names}


def torch_forward(model: PreTrainedModel, task: Task) -> Forward:
    """Runs `model` on the device where it is, in eval mode, and leaves it in its own mode."""
    import inspect

    import torch

    accepted = inspect.signature(type(model).forward).parameters

    def forward(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        was_training = model.training
        model.eval()
        tensors = {name: torch.from_numpy(x).to(model.device) for name, x in inputs.items() if name in accepted}
        with torch.inference_mode():
            outputs = model(**tensors)
        model.train(was_training)
        return {name: outputs[name].float().cpu().numpy() for name in task.output_names}

    return forward
