"""Reads rows of one or two texts with a class, a list of classes, or a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal

from sparse_core.errors import DataError, Setting, listed, shown
from sparse_core.sources.data.labels import Labels
from sparse_core.tasks.columns import (
    ROWS_TO_LOOK_AT,
    as_list,
    checked_text,
    first_label_column,
    is_blank,
    is_text,
    label_column,
    require_column,
    text_column,
)
from sparse_core.tasks.rows import ColumnChoice, MissingValueError, RowReader

if TYPE_CHECKING:
    import pyarrow as pa

    from sparse_core.sources.data.rows import Row, RowSource

ProblemType = Literal["", "single_label_classification", "multi_label_classification", "regression"]
SINGLE_LABEL: ProblemType = "single_label_classification"
MULTI_LABEL: ProblemType = "multi_label_classification"
REGRESSION: ProblemType = "regression"
"""Transformers' names."""

TEXT_FIELDS = ("text", "text_pair")
LABEL_COLUMNS = ("label", "labels")
"""Names of label columns that need not be given."""
PAIRS = (
    ("sentence1", "sentence2"),
    ("premise", "hypothesis"),
    ("question1", "question2"),
    ("question", "sentence"),
    ("sentence_A", "sentence_B"),
    TEXT_FIELDS,
)
"""Names of columns that are read as a pair of texts where both are there and none was named."""
CUSTOMARY_TEXTS = ("text", "sentence")
"""Names of a text column that is taken where other columns, such as an id, hold text too."""
AGREEMENT_SHARE = 0.05
"""Two numbers of a regression agree within this share of the labels' standard deviation."""


class TextReader(RowReader):
    """One or two texts, and the label in the form that the problem type asks for."""

    target = "label"

    def __init__(self, train: RowSource, choice: ColumnChoice, problem_type: ProblemType = "") -> None:
        """Finds columns and kind of label from the first rows.

        Args:
            train: the training split.
            choice: what the user named.
            problem_type: the kind of label; "": what the label column looks like.

        Raises:
            DataError: a column does not exist, or several columns could be the text.
        """
        rows = list(islice(train.rows(), ROWS_TO_LOOK_AT))
        label = _label_column(train, choice.label_column, rows[0])
        texts = _text_columns(train, choice.text_column, label, rows)
        self.source_columns = {**dict(zip(TEXT_FIELDS, texts, strict=False)), "label": label}
        declared = train.label_names(label)
        labelled = [row for row in rows if not is_blank(row.values.get(label))]
        self.problem_type = problem_type or _problem_type(train, label, labelled, is_declared=declared is not None)
        self._numbers = _Spread()
        if self.problem_type != REGRESSION:
            are_numbers = declared is None and all(as_number(row.values[label]) is not None for row in labelled)
            self.label_field = "label"
            self.labels = Labels(
                label,
                declared,
                min_labels=1 if self.problem_type == MULTI_LABEL else 2,
                reads_whole_numbers=problem_type == SINGLE_LABEL and are_numbers,
            )

    def arrow_schema(self) -> pa.Schema:
        """`text`, `text_pair` where there is one, and `label`: int64, a list of int64, or float64."""
        import pyarrow as pa

        types = {SINGLE_LABEL: pa.int64(), MULTI_LABEL: pa.list_(pa.int64()), REGRESSION: pa.float64()}
        texts = [(name, pa.string()) for name in self.source_columns if name != "label"]
        return pa.schema([*texts, ("label", types[self.problem_type])])

    def read(self, row: Row, source: RowSource) -> dict[str, Any]:
        """See `RowReader.read`."""
        label = self.source_columns["label"]
        if row.number == 1:
            require_column(source, label_column(label), row)
        inputs = self.read_inputs(row, source)
        value = row.values.get(label)
        if is_blank(value):
            raise MissingValueError("label", label)
        return {**inputs, "label": self._label(value, label, row, source)}

    def read_inputs(self, row: Row, source: RowSource) -> dict[str, Any]:
        """See `RowReader.read_inputs`."""
        texts = {name: column for name, column in self.source_columns.items() if name != "label"}
        if row.number == 1:
            for column in texts.values():
                require_column(source, text_column(column), row)
        return {name: checked_text(source, text_column(column), row, what="text") for name, column in texts.items()}

    def found_options(self) -> dict[str, Any]:
        """Kind of label, number of labels, and when two numbers of a regression agree."""
        if self.labels is not None:
            return {"problem_type": self.problem_type, "num_labels": len(self.labels.names)}
        return {"problem_type": REGRESSION, "agreement_tolerance": AGREEMENT_SHARE * self._numbers.deviation}

    def _label(self, value: Any, column: str, row: Row, source: RowSource) -> int | float | list[int]:
        if self.labels is None:
            number = as_number(value)
            if number is None:
                raise source.error(
                    f"label {shown(value)} in column '{column}' is not a number, which regression needs", row
                )
            self._numbers.add(number)
            return number
        if self.problem_type == SINGLE_LABEL:
            return self.labels.index_of(value, source, row)
        labels = as_list(value)
        if labels is None or any(is_blank(entry) for entry in labels):
            raise source.error(
                f"label {shown(value)} in column '{column}' is not a list of labels",
                row,
                fix='write the labels of each row as a list, in a CSV file as JSON, such as ["a", "b"]',
            )
        if any(isinstance(label, float) for label in labels):
            problem = f"label {shown(value)} in column '{column}' has numbers with a decimal point"
            raise source.error(problem, row, fix=_one_entry_each(labels))
        indices = [self.labels.index_of(label, source, row) for label in labels]
        if len(set(indices)) < len(indices):
            problem = f"label {shown(value)} in column '{column}' names a label twice"
            raise source.error(problem, row, fix=_one_entry_each(labels))
        return indices


class _Spread:
    """Standard deviation of numbers that come one by one (Welford's method)."""

    def __init__(self) -> None:
        self._count = 0
        self._mean = self._squares = 0.0

    def add(self, number: float) -> None:
        self._count += 1
        before = number - self._mean
        self._mean += before / self._count
        self._squares += before * (number - self._mean)

    @property
    def deviation(self) -> float:
        return math.sqrt(self._squares / self._count) if self._count else 0.0


def _label_column(train: RowSource, chosen: str, row: Row) -> str:
    if not chosen:
        return first_label_column(train, LABEL_COLUMNS, row)
    require_column(train, label_column(chosen), row)
    return chosen


def _text_columns(train: RowSource, chosen: str, label: str, rows: Sequence[Row]) -> list[str]:
    if chosen:
        names = [chosen] if chosen in rows[0].values else [name.strip() for name in chosen.split(",")]
        if len(names) > len(TEXT_FIELDS):
            raise DataError("text_column", accepted="a column, or two separated by a comma", got=chosen)
        for name in names:
            require_column(train, text_column(name), rows[0])
            if name == label:
                raise DataError(
                    "text_column", (f"'{name}' is also the ", Setting("label_column")), fix="name two columns"
                )
        return names
    others = [name for name in rows[0].values if name != label]
    names = [name for name in others if any(is_text(row.values.get(name)) for row in rows)]
    pair = next((list(pair) for pair in PAIRS if set(pair) <= set(names)), None)
    if pair is not None:
        return pair
    if not names:
        raise DataError(
            "text_column", f"{train.name} has no column of text besides the label; it has {listed(rows[0].values)}"
        )
    customary = [name for name in CUSTOMARY_TEXTS if name in names]
    if len(customary) == 1:
        return customary
    if len(names) > 1:
        raise DataError(
            "text_column",
            f"is not given, and {train.name} has {len(names)} columns of text",
            fix=f"name one or, separated by a comma, two of {listed(names)}",
        )
    return names


def _one_entry_each(labels: list) -> str:
    """How to write the labels of a row, also in place of a vector of 0 and 1."""
    fix = "write each label of the row once, by its name or index"
    if all(label in (0, 1) for label in labels):
        fix += f": {[index for index, label in enumerate(labels) if label]} in place of this vector of 0 and 1"
    return fix


def _problem_type(train: RowSource, column: str, rows: Sequence[Row], *, is_declared: bool) -> ProblemType:
    """What labels of this look ask for.

    Raises:
        DataError: some are numbers with a fraction, and others are no numbers.
    """
    values = [row.values[column] for row in rows]
    if any(isinstance(value, list) for value in values):
        return MULTI_LABEL
    if is_declared or not values:
        return SINGLE_LABEL
    if all(as_list(value) is not None for value in values):
        return MULTI_LABEL
    numbers = [as_number(value) for value in values]
    if not any(number % 1 for number in numbers if number is not None):
        return SINGLE_LABEL
    if None in numbers:
        odd = rows[numbers.index(None)]
        raise train.error(
            f"label {shown(odd.values[column])} in column '{column}' is not a number, and others are numbers with a "
            "fraction",
            odd,
            fix=(
                "correct it or remove the row; if the labels are names of classes, set ",
                Setting("task_args.problem_type"),
                f" to {SINGLE_LABEL}",
            ),
        )
    return REGRESSION


def as_number(value: Any) -> float | None:
    """The finite number that a value is, or that it spells."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
