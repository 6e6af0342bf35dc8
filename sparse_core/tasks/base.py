"""What the rest of the library asks of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sparse_core.tasks.schema import DatasetSchema
from sparse_core.tasks.tokenizers import load_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

Collator = Callable[[list[dict[str, Any]]], "dict[str, Tensor]"]


class Task(ABC):
    """One kind of prediction. Stateless: everything comes from the arguments."""

    name: ClassVar[str]
    """What users write, and what `dataset.json` holds."""
    primary_metric: ClassVar[str]
    """The metric of `compute_metrics` by which models are compared; higher is better."""

    @abstractmethod
    def load_model(
        self, directory: Path, schema: DatasetSchema, *, trained_head: bool = False, setting: str = "model"
    ) -> PreTrainedModel:
        """The model of a directory with a head for the labels of `schema`, float32, in eval mode.

        Args:
            directory: Hugging Face directory.
            schema: of the data.
            trained_head: True for a model that predicts as it is (a teacher): it must have a head for these labels.
                False for one that will be trained: a head that is missing, or of another size, is made new from
                torch's random state.
            setting: name of the setting that chose the directory, for messages.

        Raises:
            ModelError: files are missing or damaged, or the head does not fit.
        """

    @abstractmethod
    def tokenize(
        self, rows: dict[str, list], tokenizer: PreTrainedTokenizerFast, max_seq_length: int
    ) -> dict[str, list]:
        """Token ids and labels of a batch of rows, cut at `max_seq_length` tokens and not padded."""

    @abstractmethod
    def collator(self, tokenizer: PreTrainedTokenizerFast) -> Collator:
        """A function from rows to a batch of tensors, padded to its longest row; drops the column `length`."""

    @abstractmethod
    def compute_metrics(self, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Scores between 0 and 1 by name; `primary_metric` is among them."""

    def load_tokenizer(self, directory: Path) -> PreTrainedTokenizerFast:
        """The tokenizer of a model directory.

        Raises:
            ModelError: it has none, or one that does not fit (see `tokenizers.load_tokenizer`).
        """
        return load_tokenizer(directory)

    def load_split(self, dataset: Path, split: str, tokenizer: PreTrainedTokenizerFast, max_seq_length: int) -> Dataset:
        """The tokenized rows of a split, from the cache where they are there.

        Args:
            dataset: Dataset artifact.
            split: "train", "validation" or "test".
            tokenizer: of the model that will read the rows.
            max_seq_length: tokens of a row beyond which the rest is cut off.

        Returns:
            Columns `input_ids`, `attention_mask`, the tokenizer's further inputs, `labels` and `length` (tokens).

        Raises:
            DataError: the data has no such split.
            ConfigError: max_seq_length is below 3 or beyond what the model can read.
        """
        from sparse_core.tasks.data import load_tokenized

        return load_tokenized(self, dataset, split, tokenizer, max_seq_length)
