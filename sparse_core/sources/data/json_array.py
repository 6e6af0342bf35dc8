"""Reads a JSON array element by element, so that memory does not grow with the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, TextIO

MAX_ELEMENT_CHARACTERS = 1 << 24
"""An element that is longer is reported as malformed: a quote or bracket that is never closed would fill the memory."""
_CHUNK_CHARACTERS = 1 << 20
_CUT_NUMBER = re.compile(r"(\.|[eE][+-]?)?")
"""What may follow in the buffer when a number is cut off at its end."""
_WHITESPACE = re.compile(r"[ \t\r\n]*")


class JsonArray:
    """The elements of a JSON array, each with the line on which it starts.

    The array is the whole text, or the value of "data" in an object, when that array holds objects.

    Attributes:
        is_array: whether there is such an array.
    """

    def __init__(self, stream: TextIO, chunk_characters: int = _CHUNK_CHARACTERS) -> None:
        """Reads the beginning of `stream`, `chunk_characters` at a time."""
        self._stream = stream
        self._chunk_characters = chunk_characters
        self._decoder = json.JSONDecoder()
        self._buffer = ""
        self._position = 0
        self._line = 1
        self._is_in_object = self._peek() == "{"
        self.is_array = self._finds_data() if self._is_in_object else self._peek() == "["

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        """Line and value of each element.

        Raises:
            json.JSONDecodeError: malformed; its `lineno` counts from the beginning of the file.
        """
        if not self._is_in_object:
            self._skip()
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
            self._skip()

    def _finds_data(self) -> bool:
        """Moves behind the bracket of "data"; False where the object has no such array."""
        try:
            while True:
                self._skip()
                if self._name() == "data" and self._peek() == "[":
                    self._skip()
                    return self._peek() in ("{", "]")
                self._peek()
                self._element()
                if self._peek() != ",":
                    return False
        except json.JSONDecodeError:
            return False

    def _end(self) -> None:
        self._skip()
        if self._is_in_object:
            while self._peek() == ",":
                self._skip()
                self._name()
                self._peek()
                self._element()
            if self._peek() != "}":
                raise self._error("The object is not closed", self._position)
            self._skip()
        if self._peek():
            raise self._error("Extra data after the array", self._position)

    def _name(self) -> str:
        """The name of an object's member; moves behind its colon."""
        if self._peek() != '"':
            raise self._error("Expecting a name in double quotes", self._position)
        name = self._element()
        if self._peek() != ":":
            raise self._error("Expecting ':' delimiter", self._position)
        self._skip()
        return name

    def _skip(self) -> None:
        self._move_to(self._position + 1)

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
                may_go_on = isinstance(value, int | float) and _CUT_NUMBER.fullmatch(self._buffer, end)
                if not may_go_on or not self._fill():
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
