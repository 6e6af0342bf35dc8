"""What a task is: how its rows become batches, and how its predictions are scored."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sparse_core.errors import ModelError
from sparse_core.tasks.schema import DatasetSchema
from sparse_core.tasks.tokens import load_tokens

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Collator = Callable[[list[dict[str, Any]]], dict[str, Any]]


class Task(ABC):
    """One kind of problem; a subclass in a file of its own says how to load, tokenize, collate and score."""

    name: ClassVar[str]
    primary_metric: ClassVar[str]
    """The score by which models are compared; higher is better."""

    @abstractmethod
    def load_model(self, directory: Path, schema: DatasetSchema, *, trained_head: bool = False) -> PreTrainedModel:
        """The model in `directory`, float32, with the head that this task and these labels need.

        Args:
            directory: Hugging Face directory.
            schema: the data that the model shall work on.
            trained_head: the model must already be fine-tuned on these labels. Otherwise a head that is missing or has
                other labels is made anew, from torch's seed.

        Raises:
            ModelError: no weights, or, with `trained_head`, no head for these labels.
        """

    @abstractmethod
    def tokenize(self, batch: dict[str, list[Any]], tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict[str, Any]:
        """Columns of a batch of normalized rows as model inputs and `labels`, cut at `max_length` tokens, not padded."""

    @abstractmethod
    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Collator:
        """Function from a list of rows to a batch of tensors, padded to the longest row."""

    @abstractmethod
    def compute_metrics(self, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Scores by name; `primary_metric` is one of them."""

    def load_tokenizer(self, directory: Path) -> PreTrainedTokenizerBase:
        """The fast tokenizer in `directory`.

        Raises:
            ModelError: there is none.
        """
        import transformers

        try:
            return transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(
                f"model: {directory} has no tokenizer that can be read ({reason}); save it with "
                "tokenizer.save_pretrained(directory)"
            ) from None

    def load_split(
        self, dataset: Path, split: str, tokenizer: PreTrainedTokenizerBase, max_seq_length: int
    ) -> Dataset:
        """Tokenized rows of one split, from the cache on disk where they are there; see `tokens.load_tokens`."""
        return load_tokens(self, dataset, split, tokenizer, max_seq_length)
