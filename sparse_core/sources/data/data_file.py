"""A CSV, JSON, JSONL, Parquet or text file as a stream of rows, each with its line.

One row is in memory at a time, or one batch of rows for Parquet, so memory does not grow with the file. The standard
library reads the text formats, because its readers know the line of every row, also after quoted line breaks.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparse_core.errors import DataError, Place, Setting, Text, listed, renamed_settings
from sparse_core.sources.data.json_array import JsonArray
from sparse_core.sources.data.parquet_file import ParquetRows
from sparse_core.sources.data.rows import Row, with_row
from sparse_core.sources.data.squad_json import ArticleError, squad_rows
from sparse_core.store import local_path

SUFFIXES = (".csv", ".json", ".jsonl", ".parquet", ".txt")
_ENCODING = "utf-8-sig"  # UTF-8, with or without the mark that spreadsheets put first
_OTHER_SEPARATORS = (";", "\t", "|")
LONGEST_CSV_FIELD = 10_000_000
"""The most characters of a field; with an unclosed quote, reading stops here and not at the end of the file."""


@dataclass(frozen=True)
class DataFile:
    """A file that a user named.

    Attributes:
        setting: the setting that names it, such as train_file; errors name it.
        path: where it is on this machine.
    """

    setting: str
    path: Path

    @classmethod
    def named(cls, setting: str, uri: str) -> DataFile:
        """The file that a user named by a path or URI.

        Raises:
            SparseCoreError: it is in object storage.
        """
        with renamed_settings({"location": setting}):
            return cls(setting, local_path(uri))

    @property
    def name(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def size_bytes(self) -> int:
        """Size of the file; of a Parquet file, of its columns before compression."""
        return self._parquet().size_bytes if self._suffix == ".parquet" else self.path.stat().st_size

    def label_names(self, column: str) -> list[str] | None:
        """Names of the classes of a column, which Parquet files that `datasets` wrote declare."""
        return self._parquet().label_names(column) if self._suffix == ".parquet" else None

    def error(
        self, problem: Text, row: Row | None = None, *, accepted: str = "", fix: Text = "", line: int = 0
    ) -> DataError:
        """An error about the file, or about a row or a line of it."""
        place = Place(self.name, (row.line if row else line) or None)
        return DataError(self.setting, with_row(problem, row), accepted=accepted, fix=fix, place=place)

    @property
    def _suffix(self) -> str:
        return self.path.suffix.lower()

    def _parquet(self) -> ParquetRows:
        return ParquetRows(self.path, self.error)

    def require_usable(self) -> None:
        """Refuses a file that is missing, empty or of an unknown form.

        Raises:
            DataError: the file cannot be used.
        """
        if not self.path.exists():
            raise self.error("the file does not exist")
        if not self.path.is_file():
            raise self.error("is a folder", fix=("name a file, or give a saved data set as ", Setting("dataset_name")))
        if self._suffix not in SUFFIXES:
            raise self.error(f"the suffix '{self.path.suffix}' is unknown", accepted=f"one of {listed(SUFFIXES)}")
        if self.path.stat().st_size == 0:
            raise self.error("the file is empty (0 bytes)")

    def rows(self) -> Iterator[Row]:
        """The rows from first to last.

        Raises:
            DataError: the file cannot be used, is not UTF-8, is malformed at some line, or has no rows.
        """
        self.require_usable()
        try:
            row = None
            for row in self._rows_of_its_form():
                yield row
        except UnicodeDecodeError:
            raise self._encoding_error() from None
        except OSError as error:
            raise self.error(f"the file cannot be read ({error.strerror})") from None
        if row is None:
            raise self.error("the file has no rows")

    def _rows_of_its_form(self) -> Iterator[Row]:
        if self._suffix == ".parquet":
            return self._parquet().rows()
        return {".csv": self._csv_rows, ".txt": self._text_rows}.get(self._suffix, self._json_rows)()

    def _text_rows(self) -> Iterator[Row]:
        """A row for each line that is not blank, with the column `text`."""
        number = 0
        with self.path.open(encoding=_ENCODING) as stream:
            for line, text in enumerate(stream, start=1):
                if not text.isspace():
                    number += 1
                    yield Row(number, line, {"text": text.rstrip("\n")})

    def _csv_rows(self) -> Iterator[Row]:
        with self.path.open(encoding=_ENCODING, newline="") as stream:
            reader = csv.reader(stream, strict=True)
            columns = self._next_fields(reader)
            while columns == []:  # empty lines before the header
                columns = self._next_fields(reader)
            if columns is None:
                return
            self._check_header(columns)
            number = 0
            while True:
                line = reader.line_num + 1
                fields = self._next_fields(reader)
                if fields is None:
                    return
                if not fields:  # an empty line
                    continue
                number += 1
                if len(fields) != len(columns):
                    row = Row(number, line, {})
                    raise self.error(
                        f"has {len(fields)} fields, but the header has {len(columns)}",
                        row,
                        fix="put quotes around a text with a comma, a quote or a line break",
                    )
                yield Row(number, line, dict(zip(columns, fields, strict=True)))

    def _next_fields(self, reader: Any) -> list[str] | None:
        line = reader.line_num + 1
        earlier = csv.field_size_limit(LONGEST_CSV_FIELD)  # one for the whole process
        try:
            return next(reader, None)
        except csv.Error as error:
            problem = f"malformed CSV ({error})"
            if "field limit" in str(error):
                problem = f"a field has more than {LONGEST_CSV_FIELD:,} characters, the most that is read"
            raise self.error(problem, fix="close each quote, and double quotes inside a text", line=line) from None
        finally:
            csv.field_size_limit(earlier)

    def _check_header(self, columns: list[str]) -> None:
        repeated = sorted({name for name in columns if columns.count(name) > 1})
        if repeated:
            raise self.error(f"the column '{repeated[0]}' appears more than once", fix="rename one", line=1)
        for separator in _OTHER_SEPARATORS:
            if len(columns) == 1 and separator in columns[0]:
                raise self.error(f"fields are separated by {separator!r}", accepted="commas", line=1)

    def _json_rows(self) -> Iterator[Row]:
        number = 0
        for line, value in self._json_values():
            if not isinstance(value, dict):
                raise self.error(
                    f"has a {_json_type(value)}", accepted='a record such as {"text": "fine", "label": 1}', line=line
                )
            try:
                for record in squad_rows(value) if "paragraphs" in value else (value,):
                    number += 1
                    yield Row(number, line, record)
            except ArticleError as error:
                raise self.error(error.problem, accepted=error.accepted, line=line) from None

    def _json_values(self) -> Iterator[tuple[int, Any]]:
        """Line and value of each element of an array (which may be the "data" of an object), or of each line."""
        with self.path.open(encoding=_ENCODING) as stream:
            array = JsonArray(stream) if self._suffix == ".json" else None
            if array is not None and array.is_array:
                try:
                    yield from array
                except json.JSONDecodeError as error:
                    raise self.error(f"malformed JSON ({error.msg})", line=error.lineno) from None
                return
            stream.seek(0)
            for line, text in enumerate(stream, start=1):
                if not text.isspace():
                    yield line, self._json_line(text, line)

    def _json_line(self, text: str, line: int) -> Any:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            problem = error.msg
        except (ValueError, RecursionError):  # an integer of thousands of digits, brackets in thousands of brackets
            problem = "a value is too long or too deep"
        raise self.error(
            f"malformed JSON ({problem})", accepted="an array of records, or one record on each line", line=line
        )

    def _encoding_error(self) -> DataError:
        offset = 0
        with self.path.open("rb") as stream:
            for line, content in enumerate(stream, start=1):
                try:
                    content.decode("utf-8")
                except UnicodeDecodeError as error:
                    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) and line == 1 else "latin1"
                    return self.error(
                        f"byte {offset + error.start} (0x{content[error.start]:02x}) is not UTF-8",
                        fix="convert the file, for example with "
                        f"`iconv -f {encoding} -t utf-8 {self.path} > converted{self.path.suffix}`",
                        line=line,
                    )
                offset += len(content)
        raise AssertionError("the text decoder refused what the bytes do not show")


def _json_type(value: Any) -> str:
    names: dict[type, str] = {list: "list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "number")
