"""A CSV, JSON or JSONL file as a stream of rows, each with the place it has in the file.

One row is held at a time, so memory does not grow with the file. The standard library's readers are used because they
know the line of every row, quoted line breaks included.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparse_core.errors import DataError
from sparse_core.sources.json_array import JsonArray

SUFFIXES = (".csv", ".json", ".jsonl")
_ENCODING = "utf-8-sig"  # UTF-8, with or without the mark that spreadsheets put first
_OTHER_SEPARATORS = (";", "\t", "|")


@dataclass(frozen=True, slots=True)
class Row:
    """One record.

    Attributes:
        number: 1 for the first record; a CSV's header does not count.
        line: line of the file on which the record starts, 1 for the first.
        values: column name -> value; text in a CSV.
    """

    number: int
    line: int
    values: dict[str, Any]


@dataclass(frozen=True)
class DataFile:
    """A file that a user named.

    Attributes:
        setting: the setting that names it, for messages.
        path: where it is.
    """

    setting: str
    path: Path

    def error(self, problem: str, row: Row | None = None, *, line: int = 0) -> DataError:
        """An error about the file, at a row or a line of it."""
        place = f", row {row.number} (line {row.line})" if row else f", line {line}" if line else ""
        return DataError(f"{self.setting}: {self.path}{place}: {problem}")

    def require_usable(self) -> None:
        """Refuses a file that is missing, empty or of a form that is not read here.

        Raises:
            DataError: it is.
        """
        if self.path == Path():  # what Path("") is
            raise DataError(f"{self.setting}: no file is given; accepted are {', '.join(SUFFIXES)}")
        if not self.path.exists():
            raise self.error("there is no such file")
        if not self.path.is_file():
            raise self.error("this is a directory; name a file")
        if self.path.suffix.lower() not in SUFFIXES:
            raise self.error(f"the suffix '{self.path.suffix}' is not known; accepted are {', '.join(SUFFIXES)}")
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
            for row in self._csv_rows() if self.path.suffix.lower() == ".csv" else self._json_rows():
                yield row
        except UnicodeDecodeError:
            raise self._encoding_error() from None
        except OSError as error:
            raise self.error(f"the file cannot be read ({error.strerror})") from None
        if row is None:
            raise self.error("the file has no rows")

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
                        f"expected {len(columns)} fields as in the header, found {len(fields)}; put quotes around a "
                        "text that holds a comma, a quote or a line break",
                        row,
                    )
                yield Row(number, line, dict(zip(columns, fields, strict=True)))

    def _next_fields(self, reader: Any) -> list[str] | None:
        line = reader.line_num + 1
        try:
            return next(reader, None)
        except csv.Error as error:
            raise self.error(
                f"malformed CSV ({error}); is a quote not closed, or not doubled inside a text?", line=line
            ) from None

    def _check_header(self, columns: list[str]) -> None:
        repeated = sorted({name for name in columns if columns.count(name) > 1})
        if repeated:
            raise self.error(f"the column '{repeated[0]}' appears more than once; rename one", line=1)
        for separator in _OTHER_SEPARATORS:
            if len(columns) == 1 and separator in columns[0]:
                raise self.error(f"fields are separated by {separator!r}; expected commas", line=1)

    def _json_rows(self) -> Iterator[Row]:
        for number, (line, value) in enumerate(self._json_values(), start=1):
            if not isinstance(value, dict):
                raise self.error(
                    f'expected a record such as {{"text": "fine", "label": 1}}, found a {_json_type(value)}', line=line
                )
            yield Row(number, line, value)

    def _json_values(self) -> Iterator[tuple[int, Any]]:
        """Line and value of each element of an array, or of each line."""
        with self.path.open(encoding=_ENCODING) as stream:
            array = JsonArray(stream) if self.path.suffix.lower() == ".json" else None
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
            f"malformed JSON ({problem}); expected an array of records, or one record on each line", line=line
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
                        f"byte {offset + error.start} (0x{content[error.start]:02x}) is not UTF-8; convert the file, "
                        f"for example with `iconv -f {encoding} -t utf-8 {self.path} > converted{self.path.suffix}`",
                        line=line,
                    )
                offset += len(content)
        raise AssertionError("the text decoder refused what the bytes do not show")


def _json_type(value: Any) -> str:
    names: dict[type, str] = {list: "list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "number")
