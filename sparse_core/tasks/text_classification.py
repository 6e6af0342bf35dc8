"""Text classification: one label out of several for each row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.tasks.base import Collator, Task
from sparse_core.tasks.schema import DatasetSchema

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


class TextClassification(Task):
    """One of two or more labels for a text."""

    name = "text_classification"
    primary_metric = "accuracy"

    def load_model(
        self, directory: Path, schema: DatasetSchema, *, trained_head: bool = False, setting: str = "model"
    ) -> PreTrainedModel:
        """A sequence classification model; see `Task.load_model`."""
        from transformers import AutoModelForSequenceClassification

        from sparse_core.tasks.heads import load_with_head

        return load_with_head(
            AutoModelForSequenceClassification,
            directory,
            schema,
            trained_head=trained_head,
            setting=setting,
            problem_type="single_label_classification",
        )

    def tokenize(
        self, rows: dict[str, list], tokenizer: PreTrainedTokenizerFast, max_seq_length: int
    ) -> dict[str, list]:
        """Ids of `text` and `labels`, the label's index."""
        encoding = tokenizer(rows["text"], truncation=True, max_length=max_seq_length)
        return {**encoding, "labels": rows["label"]}

    def collator(self, tokenizer: PreTrainedTokenizerFast) -> Collator:
        """Pads to the longest row; `labels` are (batch,) int64."""
        from transformers import DataCollatorWithPadding

        return _WithoutLength(DataCollatorWithPadding(tokenizer))

    def compute_metrics(self, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Accuracy, and F1 as the plain mean over the classes that are in the labels or the predictions.

        Args:
            logits: (rows, classes), float.
            labels: (rows,), int.
        """
        import numpy as np

        num_classes = logits.shape[-1]
        predictions = logits.argmax(axis=-1)
        correct = np.bincount(labels[predictions == labels], minlength=num_classes)
        seen = np.bincount(labels, minlength=num_classes) + np.bincount(predictions, minlength=num_classes)
        f1 = 2 * correct[seen > 0] / seen[seen > 0]
        return {"accuracy": float((predictions == labels).mean()), "f1": float(f1.mean())}


@dataclass(frozen=True)
class _WithoutLength:
    """Drops the column `length`, which is for the sampler, before the rows are padded."""

    pad: Any

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        """A batch of tensors, (batch, longest row) for the ids."""
        return dict(self.pad([{name: value for name, value in row.items() if name != "length"} for row in rows]))
