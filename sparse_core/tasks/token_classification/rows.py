"""Reads rows of words with a tag each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from sparse_core.errors import DataError, Setting, listed, shown
from sparse_core.sources.data.labels import Labels
from sparse_core.tasks.columns import (
    ROWS_TO_LOOK_AT,
    Column,
    as_list,
    is_blank,
    label_column,
    require_column,
    text_column,
)
from sparse_core.tasks.rows import ColumnChoice, MissingValueError, RowReader

if TYPE_CHECKING:
    import pyarrow as pa

    from sparse_core.sources.data.rows import Row, RowSource

logger = logging.getLogger(__name__)

TOKEN_COLUMNS = ("tokens", "words")
"""Names of columns with words that need not be given."""
TAG_COLUMNS = ("tags", "labels", "label")
"""Names of columns with tags that need not be given, after `<task_name>_tags`."""
DEFAULT_TASK_NAME = "ner"


class TokenReader(RowReader):
    """A list of words and a list of as many tags, which are names or numbers."""

    target = label_field = "tags"
    labels: Labels

    def __init__(self, train: RowSource, choice: ColumnChoice, tag_names: Sequence[str] = ()) -> None:
        """Finds the columns from the first rows.

        Args:
            train: the training split.
            choice: what the user named.
            tag_names: names of all tags in the order of their numbers; empty: those that the source declares, else
                those that the rows have.

        Raises:
            DataError: a column does not exist, or no column can be the words or the tags.
        """
        rows = list(islice(train.rows(), ROWS_TO_LOOK_AT))
        tokens = _token_column(train, choice, rows)
        tags = _tag_column(train, choice, tokens, rows)
        self.source_columns = {"tokens": tokens, "tags": tags}
        declared = list(tag_names) or train.label_names(tags)
        self._declared = declared or []
        self.labels = Labels(tags, declared)

    def arrow_schema(self) -> pa.Schema:
        """`tokens`: lists of text; `tags`: lists of int64."""
        import pyarrow as pa

        return pa.schema([("tokens", pa.list_(pa.string())), ("tags", pa.list_(pa.int64()))])

    def read(self, row: Row, source: RowSource) -> dict[str, Any]:
        """See `RowReader.read`."""
        columns = self.source_columns
        if row.number == 1:
            require_column(source, label_column(columns["tags"]), row)
        tokens = self.read_inputs(row, source)["tokens"]
        tags = _checked_list(row, source, label_column(columns["tags"]), "tag")
        if len(tokens) != len(tags):
            raise source.error(
                f"{len(tokens)} tokens in column '{columns['tokens']}' and {len(tags)} tags in column "
                f"'{columns['tags']}'",
                row,
                fix="give each token one tag",
            )
        _require(tags, _is_tag, "a name or an integer", columns["tags"], "tag", row, source)
        _require_whole_characters([tag for tag in tags if isinstance(tag, str)], row, source)
        return {"tokens": tokens, "tags": [self._index(tag, row, source) for tag in tags]}

    def read_inputs(self, row: Row, source: RowSource) -> dict[str, Any]:
        """See `RowReader.read_inputs`."""
        column = self.source_columns["tokens"]
        if row.number == 1:
            require_column(source, text_column(column), row)
        tokens = _checked_list(row, source, text_column(column), "token")
        _require(tokens, _is_token, "text that is not empty", column, "token", row, source)
        _require_whole_characters(tokens, row, source)
        return {"tokens": tokens}

    def found_options(self) -> dict[str, Any]:
        """Names of the tags, which scores and labels of word pieces are made from."""
        names = self.labels.names
        if all(name.lstrip("+-").isdigit() for name in names):
            logger.warning(
                "tag_names: the tags in column '%s' are the numbers %s to %s without names, so entities cannot be told "
                "and f1 takes each number for a type; give their names as tag_names in task_args",
                self.source_columns["tags"],
                names[0],
                names[-1],
            )
        return {"tag_names": names}

    def _index(self, tag: str | int, row: Row, source: RowSource) -> int:
        """Index of a tag; where names are declared, a number is an index of them."""
        if self._declared and isinstance(tag, int) and str(tag) not in self._declared:
            if not 0 <= tag < len(self._declared):
                raise source.error(
                    f"tag {tag} in column '{self.source_columns['tags']}' has no name",
                    row,
                    accepted=f"0 to {len(self._declared) - 1}",
                    fix=("correct it, or name all tags in ", Setting("task_args.tag_names")),
                )
            return tag
        return self.labels.index_of(tag, source, row)


def _token_column(train: RowSource, choice: ColumnChoice, rows: Sequence[Row]) -> str:
    if choice.text_column:
        require_column(train, text_column(choice.text_column), rows[0])
        return choice.text_column
    names = [name for name in TOKEN_COLUMNS if name in rows[0].values]
    names += [name for name in _list_columns(rows, _is_token) if name != choice.label_column]
    if not names:
        raise _no_lists(train, text_column(""), "lists of tokens", '["Ann", "sings"]', rows[0])
    return names[0]


def _tag_column(train: RowSource, choice: ColumnChoice, tokens: str, rows: Sequence[Row]) -> str:
    if choice.label_column:
        require_column(train, label_column(choice.label_column), rows[0])
        if choice.label_column == tokens:
            raise DataError(
                "label_column", (f"'{tokens}' is also the ", Setting("text_column")), fix="name two columns"
            )
        return choice.label_column
    customary = (f"{choice.task_name or DEFAULT_TASK_NAME}_tags", *TAG_COLUMNS)
    names = [name for name in (*customary, *_list_columns(rows, _is_tag)) if name in rows[0].values and name != tokens]
    if not names:
        raise _no_lists(train, label_column(""), f"lists of tags besides '{tokens}'", '["B-PER", "O"]', rows[0])
    return names[0]


def _list_columns(rows: Sequence[Row], is_entry: Callable[[Any], bool]) -> list[str]:
    """Columns that have lists of such entries, and no list of others."""
    columns = []
    for name in rows[0].values:
        lists = (as_list(row.values.get(name)) for row in rows)
        first = next((entries for entries in lists if entries), None)
        if first is not None and all(map(is_entry, first)):
            columns.append(name)
    return columns


def _no_lists(train: RowSource, column: Column, what: str, example: str, row: Row) -> DataError:
    return DataError(
        column.setting,
        (
            f"is not given, and {train.name} (",
            Setting(train.setting),
            f") has no column with {what}, such as {example}, in a CSV file as JSON; it has {listed(row.values)}",
        ),
    )


def _checked_list(row: Row, source: RowSource, column: Column, what: str) -> list:
    value = row.values.get(column.name)
    if is_blank(value):
        raise MissingValueError(f"{what}s", column.name)
    entries = as_list(value)
    if entries is None:
        raise source.error(
            f"column '{column.name}' has {shown(value)}",
            row,
            accepted=f"a list of {what}s, in a CSV file as JSON",
            fix=("name another ", Setting(column.setting)),
        )
    if not entries:
        raise MissingValueError(f"{what}s", column.name)
    return entries


def _is_token(entry: Any) -> bool:
    return isinstance(entry, str) and entry != ""


def _is_tag(entry: Any) -> bool:
    return isinstance(entry, int) or (isinstance(entry, str) and not is_blank(entry))


def _require(
    entries: list, is_entry: Callable[[Any], bool], expected: str, column: str, what: str, row: Row, source: RowSource
) -> None:
    for number, entry in enumerate(entries, start=1):
        if not is_entry(entry):
            raise source.error(
                f"{what} {number} of {len(entries)} in column '{column}' is {shown(entry)}",
                row,
                accepted=expected,
                fix="correct it or remove the row",
            )


def _require_whole_characters(texts: list[str], row: Row, source: RowSource) -> None:
    joined = "\n".join(texts)  # so that two halves in different texts do not make a whole
    try:
        joined.encode()
    except UnicodeEncodeError as error:
        half = ascii(joined[error.start])
        raise source.error(
            f"a token or tag has {half}, half of a character", row, fix="write the whole character"
        ) from None
