"""What the row readers of all tasks ask of a column and of its values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from sparse_core.errors import DataError, Setting, listed, nearest, shown
from sparse_core.tasks.rows import MissingValueError

if TYPE_CHECKING:
    from sparse_core.sources.data.rows import Row, RowSource

ROWS_TO_LOOK_AT = 1000
"""Rows from whose values columns and kinds of labels are found."""


class Column(NamedTuple):
    """A column of the user's data.

    Attributes:
        setting: the setting that chooses it.
        name: its name; empty if the user has not chosen one.
    """

    setting: str
    name: str


def text_column(name: str) -> Column:
    """A column that `text_column` chooses."""
    return Column("text_column", name)


def label_column(name: str) -> Column:
    """A column that `label_column` chooses."""
    return Column("label_column", name)


def require_column(source: RowSource, column: Column, row: Row) -> None:
    """Refuses a source whose rows have no such column.

    Args:
        source: where the row is from.
        column: the column.
        row: any row of it.

    Raises:
        DataError: the row has no such column.
    """
    if column.name not in row.values:
        raise DataError(
            column.setting,
            (
                f"{source.name} (",
                Setting(source.setting),
                f") has no column '{column.name}'; it has {listed(row.values)}",
            ),
            fix=nearest(column.name, row.values),
        )


def first_label_column(source: RowSource, candidates: Sequence[str], row: Row) -> str:
    """The first of the customary names that the rows have, for a label column that the user did not name.

    Raises:
        DataError: they have none of them.
    """
    first = next((name for name in candidates if name in row.values), None)
    if first is None:
        raise DataError(
            "label_column",
            (
                f"is not given, and {source.name} (",
                Setting(source.setting),
                f") has no column {' or '.join(candidates)}",
            ),
            fix=f"name one of {listed(row.values)}",
        )
    return first


def is_blank(value: Any) -> bool:
    """Whether a value is missing: None, or text of nothing but white space."""
    return value is None or (isinstance(value, str) and not value.strip())


def is_text(value: Any) -> bool:
    """Whether a value is text and not a number that a CSV file spells."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False


def checked_text(source: RowSource, column: Column, row: Row, what: str = "text") -> str:
    """The text in a column of a row.

    Args:
        source: where the row is from.
        column: the column.
        row: the row.
        what: what the column holds, for the message about rows without it.

    Raises:
        MissingValueError: there is none.
        DataError: the value is no text, or has half of a character.
    """
    text = row.values.get(column.name)
    if is_blank(text):
        raise MissingValueError(what, column.name)
    if not isinstance(text, str):
        raise source.error(
            f"column '{column.name}' has {shown(text)}",
            row,
            accepted="text",
            fix=("name another ", Setting(column.setting)),
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON can write "\ud83d", which no UTF-8 text and no tokenizer can hold
        half = ascii(text[error.start])
        raise source.error(f"the text has {half}, half of a character", row, fix="write the whole character") from None
    return text


def as_list(value: Any) -> list | None:
    """The list that a value is, or that it spells in JSON; None for others."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    return value if isinstance(value, list) else None
