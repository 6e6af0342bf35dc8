"""What the rest of the library asks of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.errors import ConfigError
from sparse_core.fields import Options, validated
from sparse_core.tasks.data import load_tokenized
from sparse_core.tasks.heads import Head, load_with_head
from sparse_core.tasks.predicted import Predicted
from sparse_core.tasks.rows import ColumnChoice, RowReader
from sparse_core.tasks.tokenizers import load_tokenizer

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

    from sparse_core.sources.data.rows import RowSource

Collator = Callable[[list[dict[str, Any]]], "dict[str, Tensor]"]


class TaskOptions(Options):
    """Options of a task: what `task_args` may hold. Each field has a description, from which the docs are made."""


class Task(ABC):
    """One kind of prediction, with its options. Frozen: everything else comes from the arguments.

    A prediction is whatever the task needs of one row's outputs to score it and to compare it with another engine's:
    small, so that those of a whole split fit into memory.
    """

    name: ClassVar[str]
    """What users write, and what `dataset.json` holds."""
    options_class: ClassVar[type[TaskOptions]]
    head: ClassVar[Head]
    """The head of the task's models."""
    row_name: ClassVar[str] = "rows of tokens"
    """What a tokenized row is, in the plural."""
    prediction_files: ClassVar[str] = ""
    """Regular expression of the names of the files that `write_predictions` writes; empty: it writes none."""
    label_columns: ClassVar[tuple[str, ...]] = ("labels",)
    """Entries of a batch that only the loss reads."""
    cuts_rows: bool = True
    """Whether tokens of a row beyond `max_seq_length` are lost; False where they go into further rows."""
    joins_rows: bool = False
    """Whether `tokenize` puts rows together, so that its result depends on how the split is cut into batches."""
    options: Any
    """An `options_class`; subclasses annotate it with theirs."""

    def __init__(self, task_args: Mapping[str, Any] | None = None) -> None:
        """Takes the options.

        Raises:
            ConfigError: an option is unknown or out of range.
        """
        self.options = validated(self.options_class, task_args or {}, inside="task_args")

    @property
    def output_names(self) -> tuple[str, ...]:
        """The outputs of `head`."""
        return self.head.outputs

    @property
    @abstractmethod
    def primary_metric(self) -> str:
        """The metric of `score` by which models are compared; higher is better."""

    # --- rows -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def row_reader(self, train: RowSource, choice: ColumnChoice) -> RowReader:
        """What reads the rows of all splits, from the first rows of the training split and the user's choice.

        Raises:
            DataError: a column is missing, or the choice is ambiguous.
        """

    def final_options(self, reader: RowReader) -> dict[str, Any]:
        """All options as JSON values: the user's, and those that `reader` found once it has read the training rows.

        Raises:
            ConfigError: an option does not fit the rows.
            DataError: the rows are of no use.
        """
        return {**self.options.model_dump(mode="json"), **reader.found_options()}

    # --- model ------------------------------------------------------------------------------------------------------

    @classmethod
    def options_of_model(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """The options that a model's config.json decides."""
        return {}

    def load_model(self, directory: Path, schema: DatasetSchema, *, trained_head: bool = False) -> PreTrainedModel:
        """The model of a directory with the head of this task, float32, in eval mode.

        Args:
            directory: Hugging Face directory.
            schema: of the data.
            trained_head: True for a model that predicts as it is (a teacher): it must have a head for these labels.
                False for one that will be trained: a head that is missing, or of another size, is made new from
                torch's random state.

        Raises:
            ModelError: files are missing or damaged, or the head does not fit.
        """
        import transformers

        auto_class = getattr(transformers, self.head.auto_class)
        return load_with_head(auto_class, directory, schema, trained_head=trained_head, **self.head_values())

    def head_values(self) -> dict[str, Any]:
        """What `load_with_head` must know beside the schema, such as values of the model's config."""
        return {}

    def load_tokenizer(self, directory: Path) -> PreTrainedTokenizerFast:
        """The tokenizer of a model directory.

        Raises:
            ModelError: it has none, or one that does not fit (see `tokenizers.load_tokenizer`).
        """
        return load_tokenizer(directory)

    # --- tokens -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def tokenize(
        self, rows: dict[str, list], numbers: Sequence[int], tokenizer: PreTrainedTokenizerFast, max_seq_length: int
    ) -> dict[str, list]:
        """Token ids and labels of a batch of rows, cut at `max_seq_length` tokens and not padded.

        Args:
            rows: the columns of `RowReader.arrow_schema`, but for `RowReader.target` where rows have no labels.
            numbers: index of each row in its split, for tasks that make several tokenized rows of one.
            tokenizer: of the model that will read them.
            max_seq_length: most tokens in a row.
        """

    @abstractmethod
    def collator(
        self, tokenizer: PreTrainedTokenizerFast, *, training: bool = False, pad_to: int | None = None
    ) -> Collator:
        """A function from tokenized rows to a batch of tensors.

        A batch has what the model and the loss take; other columns are dropped. Without `training` a row gives the
        same inputs every time.

        Args:
            tokenizer: pads the inputs.
            training: the batch is for training.
            pad_to: tokens to pad every batch to; None: those of its longest row.
        """

    def load_split(self, dataset: Path, split: str, tokenizer: PreTrainedTokenizerFast, max_seq_length: int) -> Dataset:
        """The tokenized rows of a split, from the cache where they are there.

        Args:
            dataset: Dataset artifact.
            split: "train", "validation" or "test", or another that `dataset.json` names.
            tokenizer: of the model that will read the rows.
            max_seq_length: tokens of a row beyond which the rest is cut off.

        Returns:
            Columns `input_ids`, `attention_mask`, the other inputs of the tokenizer, the label columns, what the task
            adds, and `length` (tokens).

        Raises:
            DataError: the data has no such split.
            ConfigError: max_seq_length is below 3 or beyond what the model can read.
        """
        return load_tokenized(self, dataset, split, tokenizer, max_seq_length)

    # --- scores -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def predictions(self, outputs: Mapping[str, np.ndarray], rows: Mapping[str, list]) -> list[Any]:
        """What the outputs of a batch say, one entry for each row.

        Args:
            outputs: `output_names` -> float32 (batch, ...), padded as the batch was.
            rows: the columns of the same tokenized rows, unpadded.
        """

    @abstractmethod
    def score(self, predictions: Sequence[Any], rows: Dataset, examples: Dataset) -> dict[str, float]:
        """Metrics by name, `primary_metric` among them, as Python floats; those that count something as ints.

        Args:
            predictions: one for each of `rows`, in their order.
            rows: tokenized rows; may be a selection of those of a split.
            examples: the split before tokenization, for tasks whose rows point into it.
        """

    @abstractmethod
    def agreement(self, first: Sequence[Any], second: Sequence[Any]) -> float:
        """The share of decisions, 0 to 1, that two engines' predictions of the same rows have in common."""

    def write_predictions(self, directory: Path, name: str, predicted: Predicted) -> Path:
        """Writes the predictions for a split, in the file and form of Hugging Face's example scripts.

        Args:
            directory: where.
            name: marks the file where there are several splits; may be empty.
            predicted: the predictions, and what they are for.

        Returns:
            The file.

        Raises:
            ConfigError: the task has nothing to predict.
        """
        raise ConfigError("do_predict", f"{self.name} has no predictions to write", fix="use do_eval for its scores")
