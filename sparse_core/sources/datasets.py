"""Data files to the Arrow splits of a Dataset artifact: a text and a label in each row, all of them checked."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from sparse_core.errors import DataError, DependencyError, did_you_mean
from sparse_core.sources.data_file import DataFile, Row
from sparse_core.sources.labels import Labels

_ROWS_TO_FIND_TEXT = 1000
_ROWS_IN_BATCH = 10_000


@dataclass(frozen=True)
class Columns:
    """Names of the columns in the data files."""

    text: str
    label: str


def find_columns(train: DataFile, text_column: str, label_column: str) -> Columns:
    """The columns to read; that of the text is found from the first rows where `text_column` is empty.

    Raises:
        DataError: a column does not exist, or there is not exactly one other column with text.
    """
    rows = list(islice(train.rows(), _ROWS_TO_FIND_TEXT))
    _require_column(train, "label_column", label_column, rows[0])
    if text_column:
        if text_column == label_column:
            raise DataError(f"text_column: '{text_column}' is also the label_column; name two columns")
        return Columns(text_column, label_column)
    others = [name for name in rows[0].values if name != label_column]
    names = [name for name in others if any(_is_text(row.values.get(name)) for row in rows)]
    if not names:
        raise DataError(
            f"text_column: {train.path} has no column of text besides the label; it has {', '.join(rows[0].values)}"
        )
    if len(names) > 1:
        raise DataError(
            f"text_column: not given, and {train.path} has {len(names)} columns of text; name one of {', '.join(names)}"
        )
    return Columns(names[0], label_column)


def write_split(file: DataFile, columns: Columns, labels: Labels, path: Path) -> int:
    """Writes the rows of `file` to `path` as an Arrow stream of `text` (string) and `label` (int64).

    Args:
        file: the data file; read once, a batch of rows at a time.
        columns: where text and label stand in it.
        labels: gives each label its index; grows where it is open.
        path: the Arrow file.

    Returns:
        Number of rows.

    Raises:
        DataError: a row without text or label, a label that cannot be used, or a part of the file that does not parse.
    """
    pa = require_pyarrow()
    schema = pa.schema([("text", pa.string()), ("label", pa.int64())])
    rows = _checked_rows(file, columns, labels)
    num_rows = 0
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        while batch := list(islice(rows, _ROWS_IN_BATCH)):
            texts, indices = zip(*batch, strict=True)
            writer.write_batch(pa.record_batch([pa.array(texts, pa.string()), pa.array(indices, pa.int64())], schema))
            num_rows += len(batch)
    return num_rows


def renumber_labels(path: Path, new_indices: list[int]) -> None:
    """Replaces index i of `label` by `new_indices[i]` in a split that `write_split` wrote."""
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
            columns = [batch.column("text"), mapping.take(batch.column("label"))]
            writer.write_batch(pa.record_batch(columns, reader.schema))
    renumbered.replace(path)


def require_pyarrow() -> Any:
    """The module pyarrow.

    Raises:
        DependencyError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise DependencyError(
            "fetch_dataset needs pyarrow, which is not installed; pip install sparse-pipelines[train]"
        ) from None
    return pyarrow


@dataclass
class _Lacking:
    """Rows that lack a value, so that one message says how many they are."""

    what: str
    column: str
    first: Row | None = None
    num_rows: int = field(default=0, init=False)

    def add(self, row: Row) -> None:
        self.first = self.first or row
        self.num_rows += 1

    def refuse(self, file: DataFile) -> None:
        if self.first is not None:
            count = f" ({self.num_rows} such rows in all)" if self.num_rows > 1 else ""
            raise file.error(
                f"this row has no {self.what} in column '{self.column}'{count}; fill it in or remove the row",
                self.first,
            )


def _checked_rows(file: DataFile, columns: Columns, labels: Labels) -> Iterator[tuple[str, int]]:
    without_text, without_label = _Lacking("text", columns.text), _Lacking("label", columns.label)
    for row in file.rows():
        if row.number == 1:
            _require_column(file, "text_column", columns.text, row)
            _require_column(file, "label_column", columns.label, row)
        text, label = row.values.get(columns.text), row.values.get(columns.label)
        if _is_blank(text):
            without_text.add(row)
        elif _is_blank(label):
            without_label.add(row)
        else:
            yield _checked_text(text, columns.text, file, row), labels.index_of(label, file, row)
    without_text.refuse(file)
    without_label.refuse(file)


def _checked_text(text: Any, column: str, file: DataFile, row: Row) -> str:
    if not isinstance(text, str):
        raise file.error(f"column '{column}' has {text!r:.80}, expected text; name another text_column", row)
    try:
        text.encode()
    except UnicodeEncodeError as error:  # JSON can write "\ud83d", which no UTF-8 text and no tokenizer can hold
        half = ascii(text[error.start])
        raise file.error(f"the text has {half}, half of a character; write the whole character", row) from None
    return text


def _require_column(file: DataFile, setting: str, column: str, row: Row) -> None:
    if column not in row.values:
        raise DataError(
            f"{setting}: {file.path} ({file.setting}) has no column '{column}'; it has {', '.join(row.values)}"
            f"{did_you_mean(column, row.values)}"
        )


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_text(value: Any) -> bool:
    """Whether a value is text and not a number that a CSV file spells."""
    if not isinstance(value, str) or not value.strip():
        return False
    try:
        float(value)
    except ValueError:
        return True
    return False
