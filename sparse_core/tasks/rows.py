"""How a task turns the rows of a source into the columns that it trains on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparse_core.sources.data.rows import MissingValueError

if TYPE_CHECKING:
    import pyarrow as pa

    from sparse_core.sources.data.labels import Labels
    from sparse_core.sources.data.rows import Row, RowSource


__all__ = ["UNLABELLED_TEST", "ColumnChoice", "MissingValueError", "RowReader", "UnlabelledReader"]

UNLABELLED_TEST = "unlabelled_test"
"""Split of the test rows where none has a label: a model can predict them, and no score can be had."""


@dataclass(frozen=True)
class ColumnChoice:
    """The columns that the user named; an empty name leaves the choice to the task.

    Attributes:
        text_column: column with the text or the tokens; two names, separated by a comma, for a pair of texts.
        label_column: column with the label or the tags.
        task_name: SparseML's word for a variant of the task: a GLUE name, or `ner`, `pos`, `chunk`.
    """

    text_column: str = ""
    label_column: str = ""
    task_name: str = ""


class RowReader(ABC):
    """Reads rows for one task and one choice of columns; made from the training split and used for all splits.

    Attributes:
        source_columns: normalized name -> the user's name, in the order of the Arrow columns.
        target: the Arrow column with what a model is to predict; empty where it is made of the other columns.
        labels: gives each label its index, open while the training split is read; None where the task has none.
        label_field: the Arrow column with the indices of `labels`, which are numbers or lists of numbers; None where
            there are none.
    """

    source_columns: dict[str, str]
    target: str = ""
    labels: Labels | None = None
    label_field: str | None = None

    @abstractmethod
    def arrow_schema(self) -> pa.Schema:
        """Names and types of the columns that `read` gives."""

    @abstractmethod
    def read(self, row: Row, source: RowSource) -> dict[str, Any]:
        """The normalized values of a row.

        Raises:
            MissingValueError: a value is not there.
            DataError: a value cannot be used, made by `source.error(problem, row)`.
        """

    def read_inputs(self, row: Row, source: RowSource) -> dict[str, Any]:
        """What `read` gives but for `target`, of a row that may have none.

        Raises:
            MissingValueError: a value is not there.
            DataError: a value cannot be used.
        """
        return self.read(row, source)

    def found_options(self) -> dict[str, Any]:
        """Options of the task that the training rows decided, such as `problem_type`; asked after they are read."""
        return {}


class UnlabelledReader:
    """Reads rows that have no labels for a task that needs them to learn."""

    def __init__(self, reader: RowReader) -> None:
        """Takes the reader of the rows with labels."""
        self._reader = reader

    def arrow_schema(self) -> pa.Schema:
        """That of the reader without its `target`."""
        schema = self._reader.arrow_schema()
        return schema.remove(schema.get_field_index(self._reader.target))

    def read(self, row: Row, source: RowSource) -> dict[str, Any]:
        """See `RowReader.read_inputs`."""
        return self._reader.read_inputs(row, source)
