"""Reads a JSON array element by element, so that memory does not grow with the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

MAX_ELEMENT_CHARACTERS = 1 << 24
"""An element that is longer is reported as malformed: a quote or bracket that is never closed would fill the memory."""
_CHUNK_CHARACTERS = 1 << 20
_WHITESPACE = re.compile(r"[ \t\r\n]*")


class JsonArray:
    """The elements of a JSON array, each with the line on which it starts."""

    def __init__(self, stream: TextIO, chunk_characters: int = _CHUNK_CHARACTERS) -> None:
        """Reads the beginning of `stream`, `chunk_characters` at a time."""
        self._stream = stream
        self._chunk_characters = chunk_characters
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._position = 0
        self._line = 1
        self.is_array = self._peek() == "["

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Line and value of each element.

        Raises:
            json.JSONDecodeError: malformed; its `lineno` counts from the beginning of the file.
        """
        self._move_to(self._position + 1)
        if self._peek() == "]":
            return self._end()
        while True:
            self._peek()
            line = self._line
            yield line, self._element()
            separator = self._peek()
            if separator == "]":
                return self._end()
            if separator != ",":
                raise self._error("Expecting ',' or ']'" if separator else "The array is not closed", self._position)
            self._move_to(self._position + 1)

    def _end(self) -> None:
        self._move_to(self._position + 1)
        if self._peek():
            raise self._error("Extra data after the array", self._position)

    def _peek(self) -> str:
        """The next character that is not white space, or an empty string at the end of the file."""
        while True:
            match = _WHITESPACE.match(self._buffer, self._position)
            assert match is not None
            self._move_to(match.end())
            if self._position < len(self._buffer):
                return self._buffer[self._position]
            if not self._fill():
                return ""

    def _element(self) -> Any:
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._position)
            except json.JSONDecodeError as error:  # malformed, or its end is not in the buffer yet
                if len(self._buffer) - self._position > MAX_ELEMENT_CHARACTERS or not self._fill():
                    raise self._error(error.msg, error.pos) from None
            except (ValueError, RecursionError):
                raise self._error("a value is too long or too deep", self._position) from None
            else:
                self._move_to(end)
                return value

    def _fill(self) -> bool:
        """Drops what was read and appends at least as much as is left; False at the end of the file."""
        rest = self._buffer[self._position :]
        more = self._stream.read(max(self._chunk_characters, len(rest)))
        if more:
            self._buffer, self._position = rest + more, 0
        return bool(more)

    def _move_to(self, position: int) -> None:
        self._line += self._buffer.count("\n", self._position, position)
        self._position = position

    def _error(self, message: str, position: int) -> json.JSONDecodeError:
        error = json.JSONDecodeError(message, self._buffer, position)
        error.lineno = self._line + self._buffer.count("\n", self._position, position)
        return error
