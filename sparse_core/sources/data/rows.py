"""What a data set is made of before a task has read it: rows of named values, from any kind of source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from sparse_core.errors import DataError


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
    """A row lacks a value. Raised by a task's reader; `write_split` counts such rows and refuses them together."""

    def __init__(self, what: str, column: str) -> None:
        """Names what is missing ("text", "label") and the user's column."""
        super().__init__(what, column)
        self.what = what
        self.column = column


class RowSource(Protocol):
    """One split of what the user named: a file, a split of a hub data set, of a saved `datasets` directory."""

    @property
    def setting(self) -> str:
        """The setting that names it, for messages, such as `train_file`."""

    @property
    def name(self) -> str:
        """What it is, for messages: the path, or the data set's name with its split."""

    @property
    def size_bytes(self) -> int:
        """Bytes on disk, about; 0 where that is not known before reading."""

    def rows(self) -> Iterator[Row]:
        """The rows from first to last, few of them in memory at a time.

        Raises:
            DataError: the source cannot be used, is malformed at some row, or has no rows.
        """

    def label_names(self, column: str) -> list[str] | None:
        """Names of the classes of a column in the order of their indices, where the source declares them."""

    def error(self, problem: str, row: Row | None = None) -> DataError:
        """An error about the source, at a row of it."""
