"""Rows of data files, and the place of every mistake in them."""

from __future__ import annotations

import csv
import errno
import json
from pathlib import Path

import pytest

from sparse_core.errors import DataError, SparseCoreError
from sparse_core.sources.data.data_file import DataFile
from sparse_core.sources.data.rows import Row


@pytest.fixture
def read(tmp_path):
    """Writes a file and returns its rows."""

    def read(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return list(DataFile("train_file", path).rows())

    return read


def test_a_csv_row_has_its_number_line_and_values(read):
    assert read("a.csv", "text,label\nfine,1\n\ndull,0\n") == [
        Row(1, 2, {"text": "fine", "label": "1"}),
        Row(2, 4, {"text": "dull", "label": "0"}),
    ]


def test_lines_count_the_line_breaks_inside_quotes(read):
    rows = read("a.csv", 'text,label\n"one\ntwo\nthree",1\n"four",0\n')
    assert [(row.number, row.line) for row in rows] == [(1, 2), (2, 5)]
    assert rows[0].values["text"] == "one\ntwo\nthree"


def test_quotes_commas_and_windows_line_ends_are_read(read):
    assert [row.values["text"] for row in read("a.csv", 'text,label\r\n"a ""b"", c",1\r\n')] == ['a "b", c']


def test_the_mark_of_spreadsheets_is_no_part_of_the_first_column(read):
    assert list(read("a.csv", b"\xef\xbb\xbftext,label\na,1\n")[0].values) == ["text", "label"]
    assert list(read("a.json", b'\xef\xbb\xbf[{"text": "a"}]')[0].values) == ["text"]


def test_empty_lines_before_a_header_are_skipped(read):
    assert read("a.csv", "\n\ntext,label\na,1\n") == [Row(1, 4, {"text": "a", "label": "1"})]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_records_on_lines(read, name):
    rows = read(name, '{"text": "a\\nb", "label": 1}\n\n{"text": "c", "label": 0}')
    assert rows == [Row(1, 1, {"text": "a\nb", "label": 1}), Row(2, 3, {"text": "c", "label": 0})]


def test_records_of_an_array(read):
    rows = read("a.json", json.dumps([{"text": "a"}, {"text": "b"}], indent=1))
    assert [(row.number, row.line, row.values) for row in rows] == [(1, 2, {"text": "a"}), (2, 5, {"text": "b"})]


def test_records_in_an_object(read):
    rows = read("a.json", '{"version": 1.1, "data": [\n{"text": "a"},\n{"text": "b"}], "notes": {"by": "me"}}\n')
    assert rows == [Row(1, 2, {"text": "a"}), Row(2, 3, {"text": "b"})]


def test_records_on_lines_may_have_a_column_data(read):
    assert read("a.json", '{"data": ["a"]}\n{"data": ["b"]}\n') == [
        Row(1, 1, {"data": ["a"]}),
        Row(2, 2, {"data": ["b"]}),
    ]


def test_the_questions_of_nested_articles(read):
    question = {"id": "7", "question": "What?", "answers": [{"text": "b", "answer_start": 2}]}
    articles = [
        {"title": "t", "paragraphs": [{"context": "a b", "qas": [question, {**question, "id": "8"}]}]},
        {"title": "u", "paragraphs": [{"context": "c", "qas": [{**question, "id": "9"}]}]},
    ]
    rows = read("a.json", json.dumps({"version": "1.1", "data": articles}, indent=1))
    assert [(row.number, row.values["id"], row.values["context"], row.values["title"]) for row in rows] == [
        (1, "7", "a b", "t"),
        (2, "8", "a b", "t"),
        (3, "9", "c", "u"),
    ]
    assert rows[0].line == rows[1].line < rows[2].line


def test_lines_of_text(read):
    assert read("a.txt", "one, two\n\n  \n\tthree ü\r\n") == [
        Row(1, 1, {"text": "one, two"}),
        Row(2, 4, {"text": "\tthree ü"}),
    ]


def test_a_suffix_may_be_in_capitals(read):
    assert len(read("A.CSV", "text,label\na,1\n")) == 1


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", r"^train_file: .*a\.csv: the file is empty \(0 bytes\)$"),
        ("a.csv", "text,label\n", "the file has no rows"),
        ("a.csv", "\n\n", "the file has no rows"),
        ("a.json", "[]", "the file has no rows"),
        ("a.jsonl", " \n", "the file has no rows"),
        ("a.tsv", "x", r"the suffix '\.tsv' is not known; accepted are \.csv, \.json, \.jsonl, \.parquet, \.txt"),
        ("a.txt", " \n\n", "the file has no rows"),
        ("a.txt", b"fine\n\xff", r"line 2: byte 5 \(0xff\) is not UTF-8"),
        ("a.csv", "text,label\na,1\nb\n", r"row 2 \(line 3\): expected 2 fields as in the header, found 1"),
        ("a.csv", 'text,label\n"a\nb",1\nc,d,1\n', r"row 2 \(line 4\): expected 2 fields .* found 3; put quotes"),
        ("a.csv", 'text,label\na,1\n"b,2\nc,3\n', r"line 3: malformed CSV \(unexpected end of data\); is a quote not"),
        ("a.csv", 'text,label\n"a"b,1\n', "line 2: malformed CSV .*not doubled inside a text"),
        ("a.csv", '"text,label\na,1\n', "line 1: malformed CSV"),
        ("a.csv", "text,text,label\na,b,1\n", "line 1: the column 'text' appears more than once; rename one"),
        ("a.csv", "text;label\na;1\n", "line 1: fields are separated by ';'; expected commas"),
        ("a.csv", "text\tlabel\na\t1\n", r"line 1: fields are separated by '\\t'"),
        ("a.csv", b"text,label\na,1\nb\xe9,0\n", r"line 3: byte 16 \(0xe9\) is not UTF-8; .*iconv -f latin1 -t utf-8"),
        ("a.csv", "text,label\na,1\n".encode("utf-16"), "line 1: byte 0 .*iconv -f utf-16"),
        ("a.jsonl", b'{"text": "\xff"}\n', r"line 1: byte 10 \(0xff\) is not UTF-8"),
        ("a.json", b'[\n{"text": "\xff"}]\n', r"line 2: byte 12 \(0xff\) is not UTF-8"),
        ("a.jsonl", '{"text": "a"}\n{"text": \n', "line 2: malformed JSON .* or one record on each line"),
        ("a.json", '{"data": [\n1]}', "line 1: malformed JSON .* expected an array of records"),
        ("a.json", '[{"text": "a"},\n {"text" "b"}]', r"line 2: malformed JSON \(Expecting ':' delimiter\)"),
        ("a.json", '{"data": [{"text": "a"}, 1]}', "line 1: expected a record such as .*, found a number"),
        ("a.json", '{"data": [\n{"text": "a"}\n], "version" 2}', r"line 3: malformed JSON \(Expecting ':' delimiter"),
        ("a.json", '{"data": []}', "the file has no rows"),
        ("a.json", '{"data": [\n{"paragraphs": [{"qas": []}]}]}', r"line 2: paragraphs\[0\] has no 'context'"),
        ("a.json", '["a"]', "line 1: expected a record such as .*, found a text"),
        ("a.jsonl", "3\n", "line 1: expected a record .* found a number"),
        ("a.jsonl", "{}\n[1]\n", "line 2: expected a record .* found a list"),
        ("a.jsonl", "true\n", "found a true or false"),
        ("a.jsonl", "null\n", "found a null"),
        ("a.jsonl", '{"label": ' + "9" * 5000 + "}", "line 1: malformed JSON .a value is too long or too deep"),
        ("a.jsonl", "[" * 100_000, "line 1: malformed JSON .a value is too long or too deep"),
        ("a.json", "[" * 100_000, "line 1: malformed JSON .a value is too long or too deep"),
    ],
)
def test_what_is_wrong_and_where(read, name, content, message):
    with pytest.raises(DataError, match=message):
        read(name, content)


def test_a_text_of_a_csv_file_may_be_as_long_as_a_book(read):
    limit = csv.field_size_limit()
    assert [len(row.values["text"]) for row in read("a.csv", f'text,label\n"{"a, " * 400_000}",1\nb,0\n')] == [
        1_200_000,
        1,
    ]
    assert csv.field_size_limit() == limit


def test_a_quote_that_never_ends_is_found_before_it_fills_the_memory(read):
    line = f"{'b' * 9_999},0\n"
    with pytest.raises(
        DataError, match="line 2: a field has more than 10,000,000 characters, .* is a quote not closed"
    ):
        read("a.csv", 'text,label\n"a,1\n' + line * 1_001)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.csv", r"^test_file: .*none\.csv: there is no such file$"),
        (".", "^test_file: .*: this is a directory; name a file, or give a saved data set as dataset_name"),
    ],
)
def test_a_path_that_is_no_file(tmp_path, path, message):
    with pytest.raises(DataError, match=message):
        DataFile("test_file", tmp_path / path).require_usable()


def test_a_file_is_named_by_its_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.csv").write_text("text,label\na,1\n")
    file = DataFile.named("train_file", "~/a.csv")
    assert (file.name, file.size_bytes, file.label_names("label")) == (f"{tmp_path}/a.csv", 15, None)


def test_a_file_in_object_storage():
    with pytest.raises(
        SparseCoreError, match=r"^train_file: s3://bucket/a\.csv is in object storage, which this version"
    ):
        DataFile.named("train_file", "s3://bucket/a.csv")


def test_errors_name_the_place():
    file = DataFile("train_file", Path("a.csv"))
    assert str(file.error("x")) == "train_file: a.csv: x"
    assert str(file.error("x", line=3)) == "train_file: a.csv, line 3: x"
    assert str(file.error("x", Row(2, 3, {}))) == "train_file: a.csv, row 2 (line 3): x"
    assert str(file.error("x", Row(2, 0, {}))) == "train_file: a.csv, row 2: x"


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,1\n")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"a\.csv: the file cannot be read \(Permission denied\)"):
        list(DataFile("train_file", path).rows())


def test_rows_come_before_the_file_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "a,1\n" * 100_000 + "broken\n")
    rows = DataFile("train_file", path).rows()
    assert next(rows).number == 1
