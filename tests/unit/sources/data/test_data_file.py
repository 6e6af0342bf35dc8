"""Rows of data files, and the place of every mistake in them."""

from __future__ import annotations

import csv
import errno
import json
from pathlib import Path

import pytest

from sparse_core.errors import DataError, Setting, SparseCoreError
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
    ("name", "content", "line"),
    [
        ("a.csv", "", None),
        ("a.csv", "text,label\n", None),
        ("a.csv", "\n\n", None),
        ("a.json", "[]", None),
        ("a.jsonl", " \n", None),
        ("a.tsv", "x", None),
        ("a.txt", " \n\n", None),
        ("a.txt", b"fine\n\xff", 2),
        ("a.csv", "text,label\na,1\nb\n", 3),
        ("a.csv", 'text,label\n"a\nb",1\nc,d,1\n', 4),
        ("a.csv", 'text,label\na,1\n"b,2\nc,3\n', 3),
        ("a.csv", 'text,label\n"a"b,1\n', 2),
        ("a.csv", '"text,label\na,1\n', 1),
        ("a.csv", "text,text,label\na,b,1\n", 1),
        ("a.csv", "text;label\na;1\n", 1),
        ("a.csv", "text\tlabel\na\t1\n", 1),
        ("a.csv", b"text,label\na,1\nb\xe9,0\n", 3),
        ("a.csv", "text,label\na,1\n".encode("utf-16"), 1),
        ("a.jsonl", b'{"text": "\xff"}\n', 1),
        ("a.json", b'[\n{"text": "\xff"}]\n', 2),
        ("a.jsonl", '{"text": "a"}\n{"text": \n', 2),
        ("a.json", '{"data": [\n1]}', 1),
        ("a.json", '[{"text": "a"},\n {"text" "b"}]', 2),
        ("a.json", '{"data": [{"text": "a"}, 1]}', 1),
        ("a.json", '{"data": [\n{"text": "a"}\n], "version" 2}', 3),
        ("a.json", '{"data": []}', None),
        ("a.json", '{"data": [\n{"paragraphs": [{"qas": []}]}]}', 2),
        ("a.json", '["a"]', 1),
        ("a.jsonl", "3\n", 1),
        ("a.jsonl", "{}\n[1]\n", 2),
        ("a.jsonl", "true\n", 1),
        ("a.jsonl", "null\n", 1),
        ("a.jsonl", '{"label": ' + "9" * 5000 + "}", 1),
        ("a.jsonl", "[" * 100_000, 1),
        ("a.json", "[" * 100_000, 1),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_at_its_line(read, name, content, line):
    with pytest.raises(DataError) as caught:
        read(name, content)
    assert caught.value.setting == "train_file"
    assert (Path(caught.value.place.file).name, caught.value.place.line) == (name, line)


@pytest.mark.parametrize(
    ("content", "encoding"), [(b"text,label\nb\xe9,0\n", "latin1"), ("text,label\na,1\n".encode("utf-16"), "utf-16")]
)
def test_other_encodings_are_refused_with_the_command_that_converts_them(read, content, encoding):
    with pytest.raises(DataError) as caught:
        read("a.csv", content)
    assert f"iconv -f {encoding} -t utf-8" in caught.value.fix


def test_a_text_of_a_csv_file_may_be_as_long_as_a_book(read):
    limit = csv.field_size_limit()
    assert [len(row.values["text"]) for row in read("a.csv", f'text,label\n"{"a, " * 400_000}",1\nb,0\n')] == [
        1_200_000,
        1,
    ]
    assert csv.field_size_limit() == limit


def test_a_quote_that_never_ends_is_found_before_it_fills_the_memory(read):
    line = f"{'b' * 9_999},0\n"
    with pytest.raises(DataError, match="more than 10,000,000 characters") as caught:
        read("a.csv", 'text,label\n"a,1\n' + line * 1_001)
    assert caught.value.place.line == 2


@pytest.mark.parametrize("path", ["none.csv", "."])
def test_a_path_that_is_no_file_is_refused(tmp_path, path):
    with pytest.raises(DataError) as caught:
        DataFile("test_file", tmp_path / path).require_usable()
    assert caught.value.setting == "test_file"
    assert caught.value.place.file == str(tmp_path / path)


def test_a_file_is_named_by_its_path(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.csv").write_text("text,label\na,1\n")
    file = DataFile.named("train_file", "~/a.csv")
    assert (file.name, file.size_bytes, file.label_names("label")) == (f"{tmp_path}/a.csv", 15, None)


def test_a_file_in_object_storage_is_refused():
    with pytest.raises(SparseCoreError) as caught:
        DataFile.named("train_file", "s3://bucket/a.csv")
    assert caught.value.setting == "train_file"


def test_an_error_has_the_line_as_its_place():
    file = DataFile("train_file", Path("a.csv"))
    assert str(file.error("x", fix="y")) == "a.csv: train_file: x; y"
    assert str(file.error("x", line=3)) == "a.csv, line 3: train_file: x"
    assert str(file.error("x", Row(2, 3, {}))) == "a.csv, line 3: train_file: row 2: x"
    assert str(file.error(("x ", Setting("y")), Row(2, 0, {}))) == "a.csv: train_file: row 2: x y"


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("text,label\na,1\n")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(DataError, match=r"cannot be read \(Permission denied\)"):
        list(DataFile("train_file", path).rows())


def test_rows_come_before_the_file_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "a,1\n" * 100_000 + "broken\n")
    rows = DataFile("train_file", path).rows()
    assert next(rows).number == 1
