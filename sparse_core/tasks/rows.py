"""How a task turns the rows of a source into the columns that it trains on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparse_core.sources.rows import MissingValueError

if TYPE_CHECKING:
    import pyarrow as pa

    from sparse_core.sources.labels import Labels
    from sparse_core.sources.rows import Row, RowSource


__all__ = ["ColumnChoice", "MissingValueError", "RowReader"]


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
        labels: gives each label its index, open while the training split is read; None where the task has none.
        label_field: the Arrow column with the indices of `labels`, which are numbers or lists of numbers; None where
            there are none.
    """

    source_columns: dict[str, str]
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

    def found_options(self) -> dict[str, Any]:
        """Options of the task that the training rows decided, such as `problem_type`; asked after they are read."""
        return {}
