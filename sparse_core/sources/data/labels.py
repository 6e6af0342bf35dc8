"""The labels of a data set and their indices."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sparse_core.errors import DataError, Setting, nearest
from sparse_core.sources.data.rows import Row, RowSource

_MAX_LABELS = 10_000  # what has more is an identifier or a text, and would fill the memory
_MAX_LISTED = 10
_PROBLEM_TYPE = Setting("task_args.problem_type")
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?")


class Labels:
    """Label -> index. While the list is open, each new label gets the next index; `close` closes and sorts the list.

    If the source declares the names of its classes, the list has these names in their order and is closed at once.

    A label is text. Integers and JSON's true and false become the text that stands for them, and white space around a
    label is removed.
    """

    def __init__(
        self,
        label_column: str,
        declared: Sequence[str] | None = None,
        *,
        min_labels: int = 2,
        reads_whole_numbers: bool = False,
    ) -> None:
        """Starts with the declared labels, or without any.

        Args:
            label_column: name of the column with the labels.
            declared: names of all classes in the order of their indices, where the source has them.
            min_labels: the fewest labels that a model can learn.
            reads_whole_numbers: read 1.0, also as text, as the class 1; otherwise it is refused.
        """
        self._column = label_column
        self._min_labels = min_labels
        self._reads_whole_numbers = reads_whole_numbers
        self._is_declared = declared is not None
        self._is_open = declared is None
        self._indices: dict[str, int] = {name.strip(): index for index, name in enumerate(declared or ())}
        self._first_rows: dict[str, Row] = {}

    @property
    def names(self) -> list[str]:
        """Labels in the order of their indices."""
        return list(self._indices)

    def index_of(self, label: Any, source: RowSource, row: Row) -> int:
        """Index of `label`, which stands in `row` of `source`.

        Raises:
            DataError: the value cannot be a class, or it is new and the labels are closed.
        """
        name = label.strip() if isinstance(label, str) else self._name(label, source, row)
        if self._reads_whole_numbers and not _INTEGER.fullmatch(name) and _NUMBER.fullmatch(name):
            name = str(int(float(name))) if float(name).is_integer() else name
        if name not in self._indices:
            self._add(name, source, row)
        return self._indices[name]

    def close(self, train: RowSource) -> list[int]:
        """Closes the list, and sorts labels that were not declared: integers by value, others as text.

        Args:
            train: the source of the labels; errors name it.

        Returns:
            The new index of each old one.

        Raises:
            DataError: there are too few labels, or they are numbers with a fraction.
        """
        names = self.names
        are_integers = all(_INTEGER.fullmatch(name) for name in names)
        if not self._is_declared and not are_integers and all(_NUMBER.fullmatch(name) for name in names):
            fraction = next(name for name in names if not _INTEGER.fullmatch(name))
            raise self._no_regression(fraction, train, self._first_rows[fraction])
        if len(names) < self._min_labels:
            raise self._too_few(train)
        if not self._is_declared:
            ordered = sorted(names, key=lambda name: (int(name), name)) if are_integers else sorted(names)
            self._indices = {name: index for index, name in enumerate(ordered)}
            self._is_open = False
        return [self._indices[name] for name in names]

    def _name(self, label: Any, source: RowSource, row: Row) -> str:
        if isinstance(label, bool):
            return str(label).lower()
        if isinstance(label, int):
            return str(label)
        if isinstance(label, float) and self._reads_whole_numbers and label.is_integer():
            return str(label)
        if isinstance(label, float):
            raise self._no_regression(str(label), source, row)
        if isinstance(label, list):
            raise self._no_list(str(label), source, row)
        raise source.error(f"label {label!r:.80} in column '{self._column}' is neither text nor an integer", row)

    def _add(self, name: str, source: RowSource, row: Row) -> None:
        if not self._is_open:
            raise self._unknown(name, source, row)
        if name.startswith("[") and name.endswith("]"):
            raise self._no_list(name, source, row)
        if len(self._indices) == _MAX_LABELS:
            raise source.error(
                f"column '{self._column}' has more than {_MAX_LABELS} different values",
                row,
                fix=("name the column with the classes as ", Setting("label_column")),
            )
        self._indices[name] = len(self._indices)
        self._first_rows[name] = Row(row.number, row.line, {})

    def _unknown(self, name: str, source: RowSource, row: Row) -> DataError:
        known = ", ".join(f"'{label}'" for label in self.names[:_MAX_LISTED])
        known += ", ..." if len(self._indices) > _MAX_LISTED else ""
        suggestion = nearest(name, self._indices)
        problem, fix = f"is not in the training data, which has {known}", "correct it, remove the row, or add such rows"
        if self._is_declared:
            problem, fix = f"is none of the classes that the data declares, {known}", "correct it or remove the row"
        return source.error(f"label '{name:.80}' {problem}", row, fix=f"{fix}{f'; {suggestion}' if suggestion else ''}")

    def _too_few(self, train: RowSource) -> DataError:
        if not self._indices:
            return train.error(
                f"no row has a label in column '{self._column}'",
                fix=("name the column with the labels as ", Setting("label_column")),
            )
        return train.error(
            f"all rows have the label '{self.names[0]}' in column '{self._column}'",
            fix="give rows of at least two classes",
        )

    def _no_regression(self, label: str, source: RowSource, row: Row) -> DataError:
        return source.error(
            f"label {label} in column '{self._column}' is a number with a decimal point",
            row,
            fix=(
                "write classes as names or integers, or set ",
                _PROBLEM_TYPE,
                " to regression, or, if all are whole numbers, to single_label_classification",
            ),
        )

    def _no_list(self, label: str, source: RowSource, row: Row) -> DataError:
        return source.error(
            f"label {label:.80} in column '{self._column}' is a list",
            row,
            fix=(
                "give each row one label, or set ",
                _PROBLEM_TYPE,
                ' to multi_label_classification and write lists as JSON, such as ["a", "b"]',
            ),
        )
