"""Reading words and tags: which columns, which tags, and every refusal."""

from __future__ import annotations

import json
import logging

import datasets
import pyarrow as pa
import pytest

from sparse_core.errors import DataError
from sparse_core.sources.data.data_file import DataFile
from sparse_core.sources.data.split_writer import renumber_labels, write_split
from sparse_core.tasks import ColumnChoice, get_task

ROW = {"tokens": ["Ann", "sings"], "ner_tags": ["B-PER", "O"]}


def source_of(path, *rows, setting="train_file"):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return DataFile(setting, path)


def reader_of(source, task_args=None, **choice):
    return get_task("token_classification", task_args).row_reader(source, ColumnChoice(**choice))


@pytest.fixture
def train(tmp_path):
    return lambda *rows: source_of(tmp_path / "train.jsonl", *rows)


def read_all(source, reader):
    rows = [reader.read(row, source) for row in source.rows()]
    new = reader.labels.close(source)
    return [{**row, "tags": [new[tag] for tag in row["tags"]]} for row in rows]


@pytest.mark.parametrize(
    ("columns", "choice", "expected"),
    [
        (["id", "tokens", "pos_tags", "ner_tags"], {}, ("tokens", "ner_tags")),
        (["tokens", "pos_tags", "ner_tags"], {"task_name": "pos"}, ("tokens", "pos_tags")),
        (["lemmas", "words", "labels", "tags"], {}, ("words", "tags")),
        (["words", "label", "labels"], {}, ("words", "labels")),
        (["words", "label"], {}, ("words", "label")),
        (["words", "ner_tags", "label"], {"task_name": "pos"}, ("words", "label")),
        (["id", "pieces", "marks", "others"], {}, ("pieces", "marks")),
        (["marks", "pieces"], {"label_column": "marks"}, ("pieces", "marks")),
        (["tokens", "marks", "others"], {"text_column": "others"}, ("others", "tokens")),
        (["tokens", "ner_tags", "a", "b"], {"text_column": "a", "label_column": "b"}, ("a", "b")),
    ],
)
def test_columns_are_found_by_name_and_then_by_place(train, columns, choice, expected):
    source = train({name: "7" if name == "id" else ["x", "y"] for name in columns})
    assert reader_of(source, **choice).source_columns == dict(zip(("tokens", "tags"), expected, strict=True))


def test_numbers_are_no_words_but_can_be_tags(train):
    source = train({"ids": [], "spaces": [], "text": []}, {"ids": [4, 7], "spaces": [0, 1], "text": ["a", "b"]})
    assert reader_of(source).source_columns == {"tokens": "text", "tags": "ids"}


def test_tags_are_sorted_when_all_are_known(train, tmp_path):
    source = train(ROW, {"tokens": ["in", "Rome", "of", "Ann"], "ner_tags": ["O", " B-LOC", "O", "B-PER"]})
    reader = reader_of(source)
    path = tmp_path / "train.arrow"
    assert write_split(source, reader, path) == 2
    renumber_labels(path, reader.label_field, reader.labels.close(source))
    table = pa.ipc.open_stream(path.read_bytes()).read_all()
    assert table.schema == reader.arrow_schema()
    assert table.to_pylist() == [
        {"tokens": ["Ann", "sings"], "tags": [1, 2]},
        {"tokens": ["in", "Rome", "of", "Ann"], "tags": [2, 0, 2, 1]},
    ]
    assert reader.labels.names == ["B-LOC", "B-PER", "O"]
    assert reader.found_options() == {"tag_names": ["B-LOC", "B-PER", "O"]}


def test_numbers_stay_in_the_order_of_their_values_and_lack_names(train, caplog):
    source = train({"tokens": ["a", "b", "c"], "ner_tags": [10, 2, 0]})
    reader = reader_of(source)
    assert read_all(source, reader)[0]["tags"] == [2, 1, 0]
    with caplog.at_level(logging.WARNING):
        assert reader.found_options() == {"tag_names": ["0", "2", "10"]}
    assert [record.getMessage() for record in caplog.records] == [
        "tag_names: the tags in column 'ner_tags' are the numbers 0 to 10 without names, so entities cannot be told "
        "and f1 takes each number for a type; give their names as tag_names in task_args"
    ]


def test_numbers_get_the_names_that_the_user_gives(train, caplog):
    source = train({"tokens": ["Ann", "Lee", "sings"], "ner_tags": [1, "I-PER", 0]})
    reader = reader_of(source, {"tag_names": ["O", "B-PER", "I-PER"]})
    assert read_all(source, reader)[0]["tags"] == [1, 2, 0]
    assert reader.found_options() == {"tag_names": ["O", "B-PER", "I-PER"]}
    assert caplog.records == []


@pytest.mark.parametrize("tag", [2, -1])
def test_a_number_beyond_the_names(train, tag):
    source = train({"tokens": ["Ann", "Lee"], "ner_tags": [1, tag]})
    with pytest.raises(DataError) as caught:
        read_all(source, reader_of(source, {"tag_names": ["O", "B-PER"]}))
    assert (caught.value.accepted, caught.value.place.line) == ("0 to 1", 1)


def test_declared_names_keep_their_order(tmp_path):
    features = datasets.Features(
        {
            "tokens": datasets.List(datasets.Value("string")),
            "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "B-PER", "B-LOC"])),
        }
    )
    rows = datasets.Dataset.from_dict({"tokens": [["Ann", "sings"]], "ner_tags": [[1, 0]]}, features=features)
    rows.to_parquet(tmp_path / "train.parquet")
    source = DataFile("train_file", tmp_path / "train.parquet")
    reader = reader_of(source)
    assert read_all(source, reader) == [{"tokens": ["Ann", "sings"], "tags": [1, 0]}]
    assert reader.labels.names == ["O", "B-PER", "B-LOC"]


def test_a_csv_holds_lists_as_json(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text('tokens,ner_tags\n"[""Ann"", ""sings""]","[1, 0]"\n')
    source = DataFile("train_file", path)
    assert read_all(source, reader_of(source)) == [{"tokens": ["Ann", "sings"], "tags": [1, 0]}]


@pytest.mark.parametrize("cell", ["Ann sings", "['Ann', 'sings']", '{""Ann"": 1}', "[" * 100_000])
def test_a_csv_cell_that_is_no_list(tmp_path, cell):
    path = tmp_path / "train.csv"
    path.write_text(f'tokens,ner_tags\n"{cell}","[1, 0]"\n')
    source = DataFile("train_file", path)
    with pytest.raises(DataError) as caught:
        read_all(source, reader_of(source))
    assert caught.value.setting == "train_file"


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"tokens": ["Ann"]}, "train_file"),
        ({"ner_tags": ["O"] * 3}, "train_file"),
        ({"tokens": ["Ann", 7]}, "train_file"),
        ({"tokens": ["", "Ann"]}, "train_file"),
        ({"tokens": [None, "Ann"]}, "train_file"),
        ({"tokens": "Ann sings"}, "train_file"),
        ({"ner_tags": "O"}, "train_file"),
        ({"ner_tags": ["O", None]}, "train_file"),
        ({"ner_tags": ["O", 0.5]}, "train_file"),
        ({"ner_tags": [["O"], "O"]}, "train_file"),
        ({"ner_tags": ["O", " "]}, "train_file"),
        ({"tokens": ["Ann", "\ud83d"]}, "train_file"),
        ({"ner_tags": ["O", "\udc00"]}, "train_file"),
        ({"tokens": []}, "train_file"),
        ({"tokens": None}, "train_file"),
        ({"ner_tags": []}, "train_file"),
        ({"ner_tags": ""}, "train_file"),
    ],
)
def test_rows_that_cannot_be_used(train, tmp_path, changes, setting):
    source = train(ROW, {**ROW, **changes})
    with pytest.raises(DataError) as caught:
        write_split(source, reader_of(source), tmp_path / "train.arrow")
    assert caught.value.setting == setting


def test_halves_of_a_character_in_two_tokens(train):
    source = train({**ROW, "tokens": ["\ud83d", "\ude00"]})
    with pytest.raises(DataError) as caught:
        read_all(source, reader_of(source))
    assert caught.value.setting == "train_file"


def test_a_tag_that_the_training_rows_lack(train, tmp_path):
    source = train(ROW)
    reader = reader_of(source)
    read_all(source, reader)
    other = source_of(tmp_path / "test.jsonl", ROW, {**ROW, "ner_tags": ["B-PERS", "O"]}, setting="test_file")
    with pytest.raises(DataError) as caught:
        read_all(other, reader)
    assert caught.value.setting == "test_file"


def test_one_tag_alone_teaches_nothing(train):
    source = train({"tokens": ["a", "b"], "ner_tags": ["O", "O"]})
    with pytest.raises(DataError) as caught:
        read_all(source, reader_of(source))
    assert caught.value.setting == "train_file"


@pytest.mark.parametrize(
    ("row", "choice", "setting"),
    [
        (ROW, {"text_column": "token"}, "text_column"),
        (ROW, {"label_column": "tags"}, "label_column"),
        (
            ROW,
            {"text_column": "ner_tags", "label_column": "ner_tags"},
            "label_column",
        ),
        (
            {"text": "Ann", "tags": "O"},
            {},
            "text_column",
        ),
        (
            {"tokens": ["a"], "id": "7"},
            {},
            "label_column",
        ),
    ],
)
def test_columns_that_cannot_be_found(train, row, choice, setting):
    source = train(row)
    with pytest.raises(DataError) as caught:
        reader_of(source, **choice)
    assert caught.value.setting == setting


def test_another_split_without_the_columns(train, tmp_path):
    reader = reader_of(train(ROW))
    other = source_of(tmp_path / "test.jsonl", {"tokens": ["a"], "tags": ["O"]}, setting="test_file")
    with pytest.raises(DataError) as caught:
        reader.read(next(iter(other.rows())), other)
    assert caught.value.setting == "label_column"
