"""Scores of an evaluation from its batches, so that the logits of a whole split are never in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparse_core.tasks.inference import named_outputs, rows_by_length

if TYPE_CHECKING:
    import transformers
    from datasets import Dataset
    from torch import Tensor

    from sparse_core.tasks import Task


class StreamedMetrics:
    """Hugging Face's Trainer calls this with each batch if `batch_eval_metrics` is set.

    The Trainer reads the rows in the order of `rows_by_length`, so the rows of each batch are known.
    """

    def __init__(self, task: Task, rows: Dataset, examples: Dataset) -> None:
        """Prepares to score `rows`.

        Args:
            task: makes predictions of outputs, and scores of predictions.
            rows: tokenized rows of the split that is evaluated.
            examples: the split before tokenization.
        """
        self._task = task
        self._rows = rows
        self._examples = examples
        self._order = rows_by_length(rows)
        self._predictions: dict[int, Any] = {}

    def start_anew(self) -> None:
        """Forgets the batches of an interrupted evaluation; `auto_find_batch_size` interrupts them."""
        self._predictions = {}

    def __call__(self, batch: transformers.EvalPrediction, compute_result: bool) -> dict[str, float]:
        """Adds a batch.

        Args:
            batch: outputs of the model, float (batch, ...), one tensor or several in the order of the model's.
            compute_result: the batch is the last one.

        Returns:
            The scores after the last batch, and nothing before.
        """
        tensors: tuple[Tensor, ...] = (
            batch.predictions if isinstance(batch.predictions, tuple) else (batch.predictions,)
        )
        tensors = tensors[: len(self._task.output_names)]  # hidden states, where a config asks for them, come after
        outputs = named_outputs(self._task, [tensor.float().cpu().numpy() for tensor in tensors])
        start = len(self._predictions)
        numbers = self._order[start : start + len(tensors[0])].tolist()
        for number, prediction in zip(numbers, self._task.predictions(outputs, self._rows[numbers]), strict=True):
            self._predictions[number] = prediction
        return self._scores() if compute_result else {}

    def _scores(self) -> dict[str, float]:
        """Scores of the rows in the batches: all rows, unless dataloader_drop_last drops some."""
        numbers = sorted(self._predictions)
        predictions = [self._predictions[number] for number in numbers]
        self._predictions = {}
        rows = self._rows if len(numbers) == len(self._rows) else self._rows.select(numbers)
        return self._task.score(predictions, rows, self._examples)
