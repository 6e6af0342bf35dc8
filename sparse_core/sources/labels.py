"""Labels of a data set: from what a file says to an index."""

from __future__ import annotations

import re
from typing import Any

from sparse_core.errors import did_you_mean
from sparse_core.sources.data_file import DataFile, Row

_MAX_LABELS = 10_000  # what has more is an identifier or a text, and would fill the memory
_MAX_LISTED = 10
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?")


class Labels:
    """Label -> index. Open at first, when each new label gets the next index; `close` fixes and sorts them.

    A label is text: integers and JSON's true and false are taken for their spelling, and white space around is left
    out.
    """

    def __init__(self, label_column: str) -> None:
        """No labels yet.

        Args:
            label_column: name of their column, for messages.
        """
        self._column = label_column
        self._indices: dict[str, int] = {}
        self._first_rows: dict[str, Row] = {}
        self._is_open = True

    @property
    def names(self) -> list[str]:
        """Labels in the order of their indices."""
        return list(self._indices)

    def index_of(self, label: Any, file: DataFile, row: Row) -> int:
        """Index of `label`, which stands in `row` of `file`.

        Raises:
            DataError: the value cannot be a class, or it is new and the labels are closed.
        """
        name = label.strip() if isinstance(label, str) else self._name(label, file, row)
        if name not in self._indices:
            self._add(name, file, row)
        return self._indices[name]

    def close(self, train: DataFile) -> list[int]:
        """Takes no more labels, and sorts those there are: integers by value, others as text.

        Args:
            train: the file that they came from, for messages.

        Returns:
            The new index of each old one.

        Raises:
            DataError: there is one label only, or the labels are numbers with a fraction.
        """
        names = self.names
        are_integers = all(_INTEGER.fullmatch(name) for name in names)
        if not are_integers and all(_NUMBER.fullmatch(name) for name in names):
            fraction = next(name for name in names if not _INTEGER.fullmatch(name))
            raise train.error(self._no_regression(fraction), self._first_rows[fraction])
        if len(names) == 1:
            raise train.error(
                f"all rows have the label '{names[0]}' in column '{self._column}'; give rows of at least two classes"
            )
        ordered = sorted(names, key=lambda name: (int(name), name)) if are_integers else sorted(names)
        self._indices = {name: index for index, name in enumerate(ordered)}
        self._is_open = False
        return [self._indices[name] for name in names]

    def _name(self, label: Any, file: DataFile, row: Row) -> str:
        if isinstance(label, bool):
            return str(label).lower()
        if isinstance(label, int):
            return str(label)
        if isinstance(label, float):
            raise file.error(self._no_regression(str(label)), row)
        if isinstance(label, list):
            raise file.error(self._no_lists(str(label)), row)
        raise file.error(f"label {label!r:.80} in column '{self._column}' is neither text nor an integer", row)

    def _add(self, name: str, file: DataFile, row: Row) -> None:
        if not self._is_open:
            known = ", ".join(f"'{label}'" for label in self.names[:_MAX_LISTED])
            known += ", ..." if len(self._indices) > _MAX_LISTED else ""
            raise file.error(
                f"label '{name:.80}' is not in the training data, which has {known}; correct "
                f"it, remove the row, or add such rows to train_file{did_you_mean(name, self._indices)}",
                row,
            )
        if name.startswith("[") and name.endswith("]"):
            raise file.error(self._no_lists(name), row)
        if len(self._indices) == _MAX_LABELS:
            raise file.error(
                f"column '{self._column}' has more than {_MAX_LABELS} different values; name the column that holds the "
                "classes as label_column",
                row,
            )
        self._indices[name] = len(self._indices)
        self._first_rows[name] = Row(row.number, row.line, {})

    def _no_regression(self, label: str) -> str:
        return (
            f"label {label} in column '{self._column}' is a number with a fraction, and regression comes later; "
            "write classes as names or integers"
        )

    def _no_lists(self, label: str) -> str:
        return (
            f"label {label:.80} in column '{self._column}' is a list, and several labels for one row come later; "
            "give each row one label"
        )
