"""Splits hold what the reader makes of the rows, in order and in batches."""

from __future__ import annotations

import json
import sys

import pyarrow as pa
import pytest

from sparse_core.errors import DataError, DependencyError, Place
from sparse_core.sources.data import arrow
from sparse_core.sources.data import split_writer as datasets
from sparse_core.sources.data.data_file import DataFile
from sparse_core.sources.data.labels import Labels
from sparse_core.sources.data.rows import MissingValueError
from sparse_core.sources.data.split_writer import renumber_labels, require_same_classes, write_split


class Reader:
    """Reads a text, and labels: one, or a list of them."""

    def __init__(self, label_type=None):
        self.labels = Labels("label")
        self._label_type = label_type or pa.int64()

    def arrow_schema(self):
        return pa.schema([("text", pa.string()), ("label", self._label_type)])

    def read(self, row, source):
        values = row.values
        for column in ("text", "label"):
            if not values.get(column):
                raise MissingValueError(column, column)
        if isinstance(values["label"], list):
            return {
                "text": values["text"],
                "label": [self.labels.index_of(name, source, row) for name in values["label"]],
            }
        return {"text": values["text"], "label": self.labels.index_of(values["label"], source, row)}


@pytest.fixture
def make_file(tmp_path):
    """Makes a data file of CSV text, or of records as JSON."""

    def make(content, setting="train_file"):
        path = tmp_path / f"{setting}.{'csv' if isinstance(content, str) else 'json'}"
        path.write_text(content if isinstance(content, str) else json.dumps(content, indent=1))
        return DataFile(setting, path)

    return make


@pytest.fixture
def path(tmp_path):
    return tmp_path / "train.arrow"


def read(path):
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as reader:
        return reader.read_all()


def test_a_split_has_the_rows_in_their_order(make_file, path):
    source = make_file('n,text,label\n1,"b, ü",x\n2,\U0001f600,y\n3, c ,x\n')
    assert write_split(source, Reader(), path) == 3
    table = read(path)
    assert table.to_pydict() == {"text": ["b, ü", "\U0001f600", " c "], "label": [0, 1, 0]}
    assert table.schema.types == [pa.string(), pa.int64()]


def test_rows_are_written_in_batches(make_file, path, monkeypatch):
    monkeypatch.setattr(datasets, "_ROWS_IN_BATCH", 2)
    assert write_split(make_file("text,label\n" + "a,x\nb,y\n" * 3 + "c,x\n"), Reader(), path) == 7
    assert [len(batch) for batch in read(path).to_batches()] == [2, 2, 2, 1]


@pytest.mark.parametrize(("read_all", "names"), [(False, ["x", "y"]), (True, ["x", "y", "z"])])
def test_the_first_rows_only(make_file, path, read_all, names):
    reader = Reader()
    source = make_file("text,label\na,x\nb,y\nc,z\n")
    assert write_split(source, reader, path, max_rows=2, read_all=read_all) == 2
    assert read(path)["text"].to_pylist() == ["a", "b"]
    assert reader.labels.names == names


def test_more_rows_than_there_are(make_file, path):
    assert write_split(make_file("text,label\na,x\n"), Reader(), path, max_rows=5) == 1


def test_without_read_all_the_rest_is_not_read(make_file, path):
    source = make_file("text,label\na,x\nbroken\n")
    assert write_split(source, Reader(), path, max_rows=1) == 1
    with pytest.raises(DataError, match="line 3: train_file: row 2: has 1 fields"):
        write_split(source, Reader(), path, max_rows=1, read_all=True)


def test_labels_are_renumbered_in_every_batch(make_file, path, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets, "_ROWS_IN_BATCH", 2)
    train, reader = make_file("text,label\na,z\nb,x\nc,y\nd,z\n"), Reader()
    write_split(train, reader, path)
    renumber_labels(path, "label", reader.labels.close(train))
    assert reader.labels.names == ["x", "y", "z"]
    assert read(path).to_pydict() == {"text": ["a", "b", "c", "d"], "label": [2, 0, 1, 2]}
    assert [len(batch) for batch in read(path).to_batches()] == [2, 2]
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".csv"] == ["train.arrow"]


def test_lists_of_labels_are_renumbered(make_file, path, monkeypatch):
    monkeypatch.setattr(datasets, "_ROWS_IN_BATCH", 2)
    train, reader = (
        make_file([{"text": text, "label": list(text)} for text in ("zx", "y", "xyz")]),
        Reader(pa.list_(pa.int64())),
    )
    write_split(train, reader, path)
    renumber_labels(path, "label", reader.labels.close(train))
    assert read(path)["label"].to_pylist() == [[2, 0], [1], [0, 1, 2]]
    assert read(path).schema.field("label").type == pa.list_(pa.int64())


def test_empty_lists_and_missing_entries_stay(path):
    table = pa.table({"tags": pa.array([[1, None, 0], [], [0]], pa.list_(pa.int64()))})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    renumber_labels(path, "tags", [1, 0])
    assert read(path)["tags"].to_pylist() == [[0, None, 1], [], [1]]


def test_labels_that_are_in_order_are_left_alone(tmp_path):
    renumber_labels(tmp_path / "there is no such file", "label", [0, 1, 2])


@pytest.mark.parametrize(
    ("content", "line", "missing", "count"),
    [
        ("text,label\na,1\n,1\nb,0\n,0\n", 3, "text", " (2 rows in all)"),
        ("text,label\na,1\n,1\n", 3, "text", ""),
        ("text,label\na,1\nb,\n,2\nc,\n", 3, "label", " (2 rows in all)"),
        ([{"text": "a", "label": "1"}, {"label": "1"}], 6, "text", ""),
    ],
)
def test_rows_that_lack_a_value_are_counted_and_refused(make_file, path, content, line, missing, count):
    with pytest.raises(DataError) as caught:
        write_split(make_file(content), Reader(), path)
    assert (caught.value.setting, caught.value.place.line) == ("train_file", line)
    assert caught.value.problem == ("row 2: ", f"has no {missing} in column '{missing}'{count}")


def test_rows_that_lack_a_value_are_not_left_out_to_fill_a_limit(make_file, path):
    source = make_file("text,label\n,1\na,1\nb,0\n")
    with pytest.raises(DataError) as caught:
        write_split(source, Reader(), path, max_rows=1)
    assert caught.value.place.line == 2


class Declared:
    """A source that declares classes."""

    setting = "dataset_name"

    def __init__(self, name, *classes):
        self.name, self._classes = name, list(classes) or None

    def label_names(self, column):
        return self._classes if column == "label" else None

    def error(self, problem, row=None, *, accepted="", fix=""):
        return DataError(self.setting, problem, accepted=accepted, fix=fix, place=Place(self.name))


@pytest.mark.parametrize("others", [(), ("neg", "pos"), ("pos", "neg")])
def test_splits_that_declare_the_same_classes(others):
    require_same_classes(Declared("train", "neg", "pos"), Declared("test", *others), "label")
    require_same_classes(Declared("train"), Declared("test", *others), "label")


def test_splits_that_declare_other_classes_are_refused():
    train, test = Declared("a, split train", "neg", "pos"), Declared("a, split test", "pos", "good")
    with pytest.raises(DataError, match="it has 'good' and lacks 'neg'") as caught:
        require_same_classes(train, test, "label")
    assert (caught.value.setting, caught.value.place.file) == ("dataset_name", "a, split test")
    with pytest.raises(DataError, match="it lacks 'neg'"):
        require_same_classes(train, Declared("test", "pos"), "label")


def test_without_pyarrow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DependencyError) as caught:
        arrow.require_pyarrow()
    assert caught.value.fix == "pip install sparse-pipelines[train]"
