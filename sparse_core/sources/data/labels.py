"""Labels of a data set: from what a source says to an index."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sparse_core.errors import DataError, did_you_mean
from sparse_core.sources.data.rows import Row, RowSource

_MAX_LABELS = 10_000  # what has more is an identifier or a text, and would fill the memory
_MAX_LISTED = 10
_INTEGER = re.compile(r"[+-]?\d+")
_NUMBER = re.compile(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?")


class Labels:
    """Label -> index. Open at first, when each new label gets the next index; `close` fixes and sorts them.

    Names that the source declares are in force at once, in their order, and no others are taken.

    A label is text: integers and JSON's true and false are taken for their spelling, and white space around is left
    out.
    """

    def __init__(
        self,
        label_column: str,
        declared: Sequence[str] | None = None,
        *,
        min_labels: int = 2,
        reads_whole_numbers: bool = False,
    ) -> None:
        """No labels yet, or the declared ones.

        Args:
            label_column: name of their column, for messages.
            declared: names of all classes in the order of their indices, where the source has them.
            min_labels: with fewer there is nothing to learn.
            reads_whole_numbers: 1.0, also as text, is the class 1; otherwise it is refused.
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
        """Takes no more labels, and sorts those that were not declared: integers by value, others as text.

        Args:
            train: the source that they came from, for messages.

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
                f"column '{self._column}' has more than {_MAX_LABELS} different values; name the column that holds the "
                "classes as label_column",
                row,
            )
        self._indices[name] = len(self._indices)
        self._first_rows[name] = Row(row.number, row.line, {})

    def _unknown(self, name: str, source: RowSource, row: Row) -> DataError:
        known = ", ".join(f"'{label}'" for label in self.names[:_MAX_LISTED])
        known += ", ..." if len(self._indices) > _MAX_LISTED else ""
        meant = did_you_mean(name, self._indices)
        if self._is_declared:
            problem = f"is none of the classes that the data declares, {known}; correct it or remove the row"
        else:
            problem = f"is not in the training data, which has {known}; correct it, remove the row, or add such rows to"
            problem += " the training data"
        return source.error(f"label '{name:.80}' {problem}{meant}", row)

    def _too_few(self, train: RowSource) -> DataError:
        if not self._indices:
            return train.error(f"no row has a label in column '{self._column}'; name the column with the labels")
        return train.error(
            f"all rows have the label '{self.names[0]}' in column '{self._column}'; give rows of at least two classes"
        )

    def _no_regression(self, label: str, source: RowSource, row: Row) -> DataError:
        return source.error(
            f"label {label} in column '{self._column}' is a number with a decimal point; write classes as names or "
            "integers, or set problem_type in task_args to regression, or, if all are whole numbers, to "
            "single_label_classification",
            row,
        )

    def _no_list(self, label: str, source: RowSource, row: Row) -> DataError:
        return source.error(
            f"label {label:.80} in column '{self._column}' is a list; give each row one label, or set problem_type in "
            'task_args to multi_label_classification and write lists as JSON, such as ["a", "b"]',
            row,
        )
