"""What a data set is made of before a task has read it: rows of named values, from any kind of source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from sparse_core.errors import DataError, Text

DATASET_SETTING = "dataset_name"
"""The setting that names a data set which is not a file."""


@dataclass(frozen=True, slots=True)
class Row:
    """One record.

    Attributes:
        number: 1 for the first record; a CSV's header does not count.
        line: line of the file on which the record starts, 1 for the first; 0 where the source has no lines.
        values: column name -> value; text in a CSV, a class's name where the source declares names of its classes.
    """

    number: int
    line: int
    values: dict[str, Any]


class MissingValueError(Exception):
    """A row lacks a value. A task's reader raises it; `write_split` counts such rows and refuses them together."""

    def __init__(self, what: str, column: str) -> None:
        """Takes the kind of value that is missing ("text", "label") and the user's name of its column."""
        super().__init__(what, column)
        self.what = what
        self.column = column


def with_row(problem: Text, row: Row | None) -> Text:
    """A problem with the number of the row that it is about, where it is about one."""
    if row is None:
        return problem
    parts = (problem,) if isinstance(problem, str) else problem
    return (f"row {row.number}: ", *parts)


class RowSource(Protocol):
    """One split of the user's data: a file, a split of a data set on the hub, or of a saved one."""

    @property
    def setting(self) -> str:
        """The setting by which the user gave it, such as `train_file`; errors name it."""

    @property
    def name(self) -> str:
        """The path of the file, or the data set's name with its split."""

    @property
    def size_bytes(self) -> int:
        """Approximate number of bytes on disk; 0 where it is not known before reading."""

    def rows(self) -> Iterator[Row]:
        """The rows from first to last, few of them in memory at a time.

        Raises:
            DataError: the source cannot be used, is malformed at some row, or has no rows.
        """

    def label_names(self, column: str) -> list[str] | None:
        """Names of the classes of a column in the order of their indices, where the source declares them."""

    def error(self, problem: Text, row: Row | None = None, *, accepted: str = "", fix: Text = "") -> DataError:
        """An error about the source, or about a row of it, with the file and line as its place."""
