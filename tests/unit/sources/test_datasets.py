"""Splits hold the rows of their files, in order, as text and label index."""

from __future__ import annotations

import json
import sys

import pyarrow as pa
import pytest

from sparse_core.errors import DataError, DependencyError
from sparse_core.sources import datasets
from sparse_core.sources.data_file import DataFile
from sparse_core.sources.datasets import Columns, find_columns, renumber_labels, write_split
from sparse_core.sources.labels import Labels

COLUMNS = Columns("text", "label")


@pytest.fixture
def make_file(tmp_path):
    """Makes a data file of CSV text, or of records as JSON."""

    def make(content, setting="train_file"):
        path = tmp_path / f"{setting}.{'csv' if isinstance(content, str) else 'json'}"
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        return DataFile(setting, path)

    return make


def read(path):
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as reader:
        return reader.read_all()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("sentence,label\na b,1\n", "sentence"),
        ("id,sentence,score,label\n1,a b,0.5,1\n2,3,1e5,0\n", "sentence"),
        ([{"label": "x", "n": 3, "title": None, "body": "b"}], "body"),
        ("empty,text,label\n,a,1\n,b,0\n", "text"),
    ],
)
def test_the_only_column_of_text_is_found(make_file, content, text):
    assert find_columns(make_file(content), "", "label") == Columns(text, "label")


def test_named_columns_are_taken(make_file):
    assert find_columns(make_file("a,b,y\nx,y,1\n"), "b", "y") == Columns("b", "y")


@pytest.mark.parametrize(
    ("content", "text_column", "label_column", "message"),
    [
        (
            "id,a,b,label\n1,x,y,1\n",
            "",
            "label",
            r"^text_column: not given, and .*train_file\.csv has 2 columns of text; name one of a, b$",
        ),
        ("id,label\n1,1\n", "", "label", "has no column of text besides the label; it has id, label"),
        ("label\n1\n", "", "label", "has no column of text besides the label; it has label"),
        (
            "text,label\na,1\n",
            "",
            "lable",
            r"^label_column: .* \(train_file\) has no column 'lable'; it has text, label; did you mean 'label'\?$",
        ),
        ("text,label\na,1\n", "label", "label", "text_column: 'label' is also the label_column; name two columns"),
    ],
)
def test_columns_that_cannot_be_found(make_file, content, text_column, label_column, message):
    with pytest.raises(DataError, match=message):
        find_columns(make_file(content), text_column, label_column)


def test_a_split_has_the_rows_in_their_order(make_file, tmp_path):
    labels = Labels("label")
    num_rows = write_split(
        make_file('n,text,label\n1,"b, ü",x\n2,a,y\n3, c ,x\n'), COLUMNS, labels, tmp_path / "train.arrow"
    )
    table = read(tmp_path / "train.arrow")
    assert num_rows == 3
    assert table.to_pydict() == {"text": ["b, ü", "a", " c "], "label": [0, 1, 0]}
    assert table.schema.types == [pa.string(), pa.int64()]


def test_rows_are_written_in_batches(make_file, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "_ROWS_IN_BATCH", 2)
    write_split(make_file("text,label\n" + "a,x\nb,y\n" * 3), COLUMNS, Labels("label"), tmp_path / "train.arrow")
    assert [len(batch) for batch in read(tmp_path / "train.arrow").to_batches()] == [2, 2, 2]


def test_labels_are_renumbered_in_every_batch(make_file, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "_ROWS_IN_BATCH", 2)
    train, path, labels = make_file("text,label\na,z\nb,x\nc,y\nd,z\n"), tmp_path / "train.arrow", Labels("label")
    write_split(train, COLUMNS, labels, path)
    renumber_labels(path, labels.close(train))
    assert labels.names == ["x", "y", "z"]
    assert read(path).to_pydict() == {"text": ["a", "b", "c", "d"], "label": [2, 0, 1, 2]}
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".csv"] == ["train.arrow"]


def test_labels_that_are_in_order_are_left_alone(tmp_path):
    renumber_labels(tmp_path / "there is no such file", [0, 1, 2])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "text,label\na,1\n,1\nb,0\n   ,0\n",
            r"^train_file: .*, row 2 \(line 3\): this row has no text in column 'text' \(2 such rows in all\); fill it",
        ),
        ("text,label\na,1\n,1\n", r"row 2 \(line 3\): this row has no text in column 'text'; fill it in .*row$"),
        ("text,label\na,1\nb,\nc, \n", r"row 2 \(line 3\): this row has no label in column 'label' \(2 such rows"),
        ([{"text": "a", "label": 1}, {"label": 1}], r"row 2 \(line 6\): this row has no text"),
        ([{"text": "a", "label": 1}, {"text": "a", "label": None}], r"row 2 \(line 6\): this row has no label"),
        ([{"text": ["a"], "label": 1}], r"row 1 \(line 2\): column 'text' has \['a'\], expected text; name"),
        ([{"text": 'a\ud83d"', "label": 1}], r"row 1 \(line 2\): the text has '\\ud83d', half of a character"),
        ("txt,label\na,1\n", r"^text_column: .* \(train_file\) has no column 'text'; it has txt, label; did you mean"),
        ("text,y\na,1\n", r"^label_column: .* has no column 'label'; it has text, y$"),
    ],
)
def test_rows_that_cannot_be_used(make_file, tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        write_split(make_file(content), COLUMNS, Labels("label"), tmp_path / "train.arrow")


def test_text_beyond_the_first_unicode_plane_is_kept(make_file, tmp_path):
    write_split(make_file([{"text": "\U0001f600", "label": 1}]), COLUMNS, Labels("label"), tmp_path / "train.arrow")
    assert read(tmp_path / "train.arrow")["text"].to_pylist() == ["\U0001f600"]


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DependencyError, match=r"needs pyarrow, .* pip install sparse-pipelines\[train\]"):
        datasets.require_pyarrow()
