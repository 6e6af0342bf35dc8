"""Writes the rows of a source, checked by the task's reader, as an Arrow split of a Dataset artifact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sparse_core.errors import DataError
from sparse_core.sources.data.arrow import require_pyarrow
from sparse_core.sources.data.rows import MissingValueError, Row, RowSource

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_IN_BATCH = 1000


class Reader(Protocol):
    """What `write_split` asks of a task's reader (`sparse_core.tasks.RowReader`)."""

    def arrow_schema(self) -> pa.Schema:
        """Names and types of the columns that `read` gives."""

    def read(self, row: Row, source: RowSource) -> dict[str, Any]:
        """The normalized values of a row."""


def write_split(source: RowSource, reader: Reader, path: Path, *, max_rows: int = 0, read_all: bool = False) -> int:
    """Writes what `reader` makes of the rows of `source` to `path` as an Arrow stream, a batch at a time.

    Args:
        source: read once.
        reader: makes the columns; adds new labels to its list unless the list is closed.
        path: the Arrow file.
        max_rows: rows to write, from the first on; 0: all.
        read_all: read the rows beyond `max_rows` too, for their labels.

    Returns:
        Number of rows written.

    Raises:
        DataError: a column or value is missing or cannot be used, or a part of the source does not parse.
    """
    pa = require_pyarrow()
    schema = reader.arrow_schema()
    lacking: dict[tuple[str, str], _Lacking] = {}
    rows = _readable_rows(source, reader, lacking)
    wanted = islice(rows, max_rows or None)
    num_rows = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        while batch := list(islice(wanted, _ROWS_IN_BATCH)):
            writer.write_batch(pa.RecordBatch.from_pylist(batch, schema))
            num_rows += len(batch)
    if max_rows and read_all:
        for _ in rows:
            pass
    for rows_lacking in lacking.values():
        raise rows_lacking.refusal(source)
    return num_rows


def renumber_labels(path: Path, label_field: str, new_indices: list[int]) -> None:
    """Replaces index i by `new_indices[i]` in a column of a split that `write_split` wrote.

    Args:
        path: the Arrow file.
        label_field: a column of integers, or of lists of them.
        new_indices: the new index of each old one.
    """
    if new_indices == sorted(new_indices):
        return
    pa = require_pyarrow()
    mapping = pa.array(new_indices, pa.int64())
    renumbered = path.with_name(f".{path.name}.renumbered")
    with (
        pa.OSFile(str(path), "rb") as source,
        pa.ipc.open_stream(source) as reader,
        pa.OSFile(str(renumbered), "wb") as sink,
        pa.ipc.new_stream(sink, reader.schema) as writer,
    ):
        for batch in reader:
            column = batch.column(label_field)
            if pa.types.is_list(column.type):
                column = pa.ListArray.from_arrays(column.offsets, mapping.take(column.values), type=column.type)
            else:
                column = mapping.take(column)
            writer.write_batch(batch.set_column(batch.schema.get_field_index(label_field), label_field, column))
    renumbered.replace(path)


def require_same_classes(train: RowSource, other: RowSource, column: str) -> None:
    """Refuses a split that declares other classes than the training split; the order does not matter.

    Raises:
        DataError: a class is new or missing.
    """
    names, expected = other.label_names(column), train.label_names(column)
    if names is None or expected is None or set(names) == set(expected):
        return
    new, missing = [name for name in names if name not in expected], [name for name in expected if name not in names]
    differences = [
        f"{verb} {', '.join(map(repr, names))}" for verb, names in (("has", new), ("lacks", missing)) if names
    ]
    raise other.error(
        f"declares other classes for column '{column}' than {train.name}: it {' and '.join(differences)}",
        fix="declare the same classes in all splits",
    )


@dataclass
class _Lacking:
    """Rows that lack a value, counted for one message."""

    what: str
    column: str
    first: Row
    num_rows: int = field(default=0, init=False)

    def refusal(self, source: RowSource) -> DataError:
        count = f" ({self.num_rows} rows in all)" if self.num_rows > 1 else ""
        return source.error(
            f"has no {self.what} in column '{self.column}'{count}", self.first, fix="fill it in or remove the row"
        )


def _readable_rows(
    source: RowSource, reader: Reader, lacking: dict[tuple[str, str], _Lacking]
) -> Iterator[dict[str, Any]]:
    """The rows as `reader` makes them; rows that lack a value are counted in `lacking`."""
    for row in source.rows():
        try:
            values = reader.read(row, source)
        except MissingValueError as missing:
            key = (missing.what, missing.column)
            lacking.setdefault(key, _Lacking(*key, first=Row(row.number, row.line, {}))).num_rows += 1
        else:
            yield values
