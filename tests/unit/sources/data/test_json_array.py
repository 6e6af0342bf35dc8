"""Elements of a JSON array, whatever part of the file is in the buffer."""

from __future__ import annotations

import io
import json

import pytest

from sparse_core.sources.data import json_array
from sparse_core.sources.data.json_array import JsonArray

VALUES = [{"text": 'a "quoted" [x], {y}', "label": 0}, {"text": "ü\n\\", "label": 1}, [], "", None, [1, 2.5]]


def elements(text, chunk_characters=1 << 20):
    return list(JsonArray(io.StringIO(text), chunk_characters))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("chunk_characters", [1, 2, 7, 64, 1 << 20])
def test_the_chunks_change_nothing(chunk_characters, indent):
    read = elements(json.dumps(VALUES, indent=indent) + "\n", chunk_characters)
    assert [value for _, value in read] == VALUES


@pytest.mark.parametrize("chunk_characters", [1, 5, 1 << 20])
def test_records_have_the_line_on_which_they_start(chunk_characters):
    read = elements('\n [\n{"a":\n1},\n\n{"a": 2}, {"a": 3}\n]\n\n', chunk_characters)
    assert read == [(3, {"a": 1}), (6, {"a": 2}), (6, {"a": 3})]


@pytest.mark.parametrize(
    ("text", "is_array"),
    [
        ("[]", True),
        ("  \n[1]", True),
        ('{"a": 1}', False),
        ("", False),
        (" \n ", False),
        ('{"data": []}', True),
        ('{"a": [{}], "b": {"data": [{}]}, "data": [{}]}', True),
        ('{"data": [1]}', False),
        ('{"data": {"data": [{}]}}', False),
        ('{"a": [{}]}\n{"data": [{}]}', False),
        ('{"a" 1, "data": [{}]}', False),
        ('{"a": }', False),
        ("{data: [{}]}", False),
    ],
)
@pytest.mark.parametrize("chunk_characters", [1, 1 << 20])
def test_what_is_an_array(text, is_array, chunk_characters):
    assert JsonArray(io.StringIO(text), chunk_characters).is_array is is_array


@pytest.mark.parametrize("chunk_characters", [1, 2, 7, 1 << 20])
def test_the_array_of_an_object(chunk_characters):
    text = '{"version": 1.5,\n "data": [\n{"a": [1]},\n{"a": "]}"} ] , "by": "me", "year": 2016 }\n'
    assert elements(text, chunk_characters) == [(3, {"a": [1]}), (4, {"a": "]}"})]


@pytest.mark.parametrize("chunk_characters", [1, 1 << 20])
def test_a_number_is_read_to_its_end(chunk_characters):
    assert elements("[123, 4.5e-1, 6]", chunk_characters) == [(1, 123), (1, 0.45), (1, 6)]


def test_an_empty_array_has_no_elements():
    assert elements(" [ \n ] ") == []


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('[{"a": 1}\n{"a": 2}]', 2, "Expecting ',' or ']'"),
        ('[{"a": 1},\n', 2, "Expecting value"),
        ('[{"a": 1}\n', 2, "The array is not closed"),
        ('[{"a": 1},\n]', 2, "Expecting value"),
        ('[{"a": 1}]\n\n{}', 3, "Extra data after the array"),
        ('{"data": [{}]\n', 2, "The object is not closed"),
        ('{"data": [{}],\n}', 2, "Expecting a name in double quotes"),
        ('{"data": [{}],\n"a" 1}', 2, "Expecting ':' delimiter"),
        ('{"data": [{}],\n"a":}', 2, "Expecting value"),
        ('{"data": [{}]}\n{"data": [{}]}', 2, "Extra data after the array"),
        ('[\n{"a": "b\n"}]', 2, "Invalid control character"),
        ("[\n\n{'a': 1}]", 3, "Expecting property name"),
        ('[\n{"a": ' + "9" * 5000 + "}]", 2, "too long or too deep"),
    ],
)
@pytest.mark.parametrize("chunk_characters", [3, 1 << 20])
def test_the_line_of_a_mistake(text, line, message, chunk_characters):
    with pytest.raises(json.JSONDecodeError, match=message) as caught:
        elements(text, chunk_characters)
    assert caught.value.lineno == line


def test_an_element_without_an_end_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(json_array, "MAX_ELEMENT_CHARACTERS", 1000)
    stream = io.StringIO('[{"a": "' + "x" * 100_000)
    with pytest.raises(json.JSONDecodeError, match="Unterminated string"):
        list(JsonArray(stream, 100))
    assert stream.tell() < 5000


def test_an_array_is_read_in_parts():
    stream = io.StringIO("[" + ",".join(['{"a": 1}'] * 10_000) + "]")
    next(iter(JsonArray(stream, 100)))
    assert stream.tell() <= 200
