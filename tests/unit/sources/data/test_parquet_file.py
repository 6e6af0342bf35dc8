"""Parquet files: their rows, the classes that they declare, and what is wrong with them."""

from __future__ import annotations

import json
import random
import string

import pyarrow as pa
import pytest
from pyarrow import parquet

from sparse_core.errors import DataError
from sparse_core.sources.data.data_file import DataFile
from sparse_core.sources.data.rows import Row

CLASS = {"names": ["neg", "pos"], "_type": "ClassLabel"}


@pytest.fixture
def make_file(tmp_path):
    """Writes a table with features as `datasets` declares them."""

    def make(table, features=None, **options):
        metadata = {"huggingface": json.dumps({"info": {"features": features}})} if features else None
        path = tmp_path / "a.parquet"
        parquet.write_table(pa.table(table).replace_schema_metadata(metadata), path, **options)
        return DataFile("train_file", path)

    return make


def test_rows_have_numbers_and_no_lines(make_file):
    file = make_file({"text": ["a", None], "n": [1.5, 2.0], "tokens": [["x"], []]})
    assert list(file.rows()) == [
        Row(1, 0, {"text": "a", "n": 1.5, "tokens": ["x"]}),
        Row(2, 0, {"text": None, "n": 2.0, "tokens": []}),
    ]


def test_declared_classes_come_as_names(make_file):
    file = make_file(
        {"label": [1, -1, None], "tags": [[0, 1], [-1], []], "n": [1, 0, 1]},
        {"label": CLASS, "tags": {"feature": CLASS, "_type": "Sequence"}, "n": {"dtype": "int64", "_type": "Value"}},
    )
    assert [row.values for row in file.rows()] == [
        {"label": "pos", "tags": ["neg", "pos"], "n": 1},
        {"label": None, "tags": [None], "n": 0},
        {"label": None, "tags": [], "n": 1},
    ]
    assert file.label_names("label") == file.label_names("tags") == ["neg", "pos"]
    assert file.label_names("n") is None
    assert file.label_names("missing") is None


@pytest.mark.parametrize("metadata", ["{", "[]", '{"info": null}', '{"info": {"features": [1]}}'])
def test_metadata_that_says_nothing(tmp_path, metadata):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"label": [1]}).replace_schema_metadata({"huggingface": metadata}), path)
    assert [row.values for row in DataFile("train_file", path).rows()] == [{"label": 1}]


def test_the_size_is_that_before_compression(make_file):
    file = make_file({"text": ["word " * 100] * 1000}, compression="zstd", use_dictionary=False)
    assert file.path.stat().st_size < 10_000
    assert file.size_bytes == pytest.approx(500_000, rel=0.05)


def test_all_row_groups_are_read_in_order(make_file):
    file = make_file({"n": list(range(5000))}, row_group_size=1500)
    assert [row.values["n"] for row in file.rows()] == list(range(5000))


def test_a_row_group_is_not_read_at_once(make_file):
    letters = random.Random(0).choices(string.ascii_letters, k=1_000_000)
    texts = ["".join(letters[start : start + 5000]) for start in range(0, 1_000_000, 5000)] * 40
    file = make_file({"text": texts}, row_group_size=10_000, use_dictionary=False, compression=None)
    size = file.size_bytes
    before = pa.total_allocated_bytes()
    rows = file.rows()
    next(rows)
    assert pa.total_allocated_bytes() - before < size / 2
    assert size > 40_000_000


def test_two_columns_of_one_name(tmp_path):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["text", "text"]), path)
    with pytest.raises(DataError, match="'text' appears more than once") as caught:
        list(DataFile("train_file", path).rows())
    assert (caught.value.setting, caught.value.place.file) == ("train_file", str(path))


def test_a_file_without_rows(make_file):
    with pytest.raises(DataError, match="the file has no rows"):
        list(make_file({"text": pa.array([], pa.string())}).rows())


def test_a_class_beyond_the_names(make_file):
    file = make_file({"label": [1, 2]}, {"label": CLASS})
    message = "row 2: column 'label' has the class 2, and the 2 that it declares are 0 to 1$"
    with pytest.raises(DataError, match=message):
        list(file.rows())


def test_text_that_is_no_utf_8(tmp_path):
    path = tmp_path / "a.parquet"
    broken = pa.array([b"fine", b"\xff\xfe"]).view(pa.string())
    parquet.write_table(pa.table({"text": broken}), path)
    with pytest.raises(DataError, match="a text after row 0 is not UTF-8"):
        list(DataFile("train_file", path).rows())


@pytest.mark.parametrize("keep", [slice(0, 100), slice(0, -10), slice(10, None)])
def test_a_file_that_is_not_whole(make_file, keep):
    file = make_file({"text": ["some text"] * 100})
    file.path.write_bytes(file.path.read_bytes()[keep])
    with pytest.raises(DataError, match="not a whole Parquet file|damaged after row 0") as caught:
        list(file.rows())
    assert (caught.value.setting, caught.value.fix) == ("train_file", "copy it again")


def test_a_file_that_is_damaged_inside(make_file):
    file = make_file({"text": [str(n) for n in range(5000)]}, row_group_size=2500, compression="snappy")
    content = bytearray(file.path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 200] = b"\xff" * 200
    file.path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged after row \d+ \("):
        list(file.rows())
