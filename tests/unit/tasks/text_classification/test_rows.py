"""Which columns and kind of label are found in real files, and what each row becomes."""

from __future__ import annotations

import csv
import json
import math

import pyarrow as pa
import pytest

from sparse_core.errors import ConfigError, DataError
from sparse_core.sources.data.data_file import DataFile
from sparse_core.tasks import ColumnChoice, MissingValueError, get_task
from sparse_core.tasks.text_classification.rows import TextReader

SINGLE, MULTI, REGRESSION = "single_label_classification", "multi_label_classification", "regression"


@pytest.fixture
def source(tmp_path):
    """Writes rows as a JSONL file, or as CSV where every value is text."""

    def write(rows, form="jsonl", setting="train_file"):
        path = tmp_path / f"{setting}.{form}"
        if form == "csv":
            with path.open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        else:
            path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return DataFile(setting, path)

    return write


def reader_of(train, text="", label="", problem_type=""):
    return TextReader(train, ColumnChoice(text, label), problem_type)


def read_all(reader, source):
    return [reader.read(row, source) for row in source.rows()]


def texts_with(labels, name="label"):
    return [{"text": f"a text {index}", name: label} for index, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (("sentence1", "sentence2"), ("sentence1", "sentence2")),
        (("premise", "hypothesis"), ("premise", "hypothesis")),
        (("question1", "question2"), ("question1", "question2")),
        (("question", "sentence"), ("question", "sentence")),
        (("sentence_B", "other", "sentence_A"), ("sentence_A", "sentence_B")),
        (("text", "text_pair"), ("text", "text_pair")),
        (("comment",), ("comment",)),
        (("id", "text", "author"), ("text",)),
        (("id", "sentence"), ("sentence",)),
    ],
)
def test_the_only_text_column_or_a_well_known_pair(source, columns, expected):
    rows = [{**{name: f"{name} {index}" for name in columns}, "idx": index, "label": index} for index in range(3)]
    train = source(rows)
    reader = reader_of(train)
    fields = dict(zip(("text", "text_pair"), expected, strict=False))
    assert reader.source_columns == {**fields, "label": "label"}
    assert read_all(reader, train)[1] == {**{field: f"{name} 1" for field, name in fields.items()}, "label": 1}
    assert reader.arrow_schema().names == [*fields, "label"]


def test_named_columns_and_a_name_with_a_comma(source):
    train = source([{"a": "x", "b": "y", "a, b": "z", "labels": 1}])
    assert reader_of(train, "b , a").source_columns == {"text": "b", "text_pair": "a", "label": "labels"}
    assert reader_of(train, "a, b").source_columns == {"text": "a, b", "label": "labels"}


@pytest.mark.parametrize(
    ("row", "choice", "setting"),
    [
        ({"a": "x", "b": "y", "label": 1}, {}, "text_column"),
        ({"a": 1, "label": 1}, {}, "text_column"),
        ({"text": "x", "label": 1}, {"text": "txet"}, "text_column"),
        ({"text": "x", "label": 1}, {"text": "text,label"}, "text_column"),
        ({"a": "x", "b": "y", "c": "z", "label": 1}, {"text": "a,b,c"}, "text_column"),
        ({"text": "x", "class": 1}, {}, "label_column"),
        ({"text": "x", "label": 1}, {"label": "lable"}, "label_column"),
    ],
)  # fmt: skip
def test_columns_that_are_not_there_or_not_told(source, row, choice, setting):
    with pytest.raises(DataError) as caught:
        reader_of(source([row]), **choice)
    assert caught.value.setting == setting


def test_another_split_without_the_columns(source):
    reader = reader_of(source([{"text": "x", "label": 1}]))
    other = source([{"txt": "x", "label": 1}], setting="test_file")
    with pytest.raises(DataError) as caught:
        read_all(reader, other)
    assert caught.value.setting == "text_column"


@pytest.mark.parametrize(
    ("labels", "form", "expected"),
    [
        ([1, 0, 2], "jsonl", SINGLE),
        ([True, False], "jsonl", SINGLE),
        (["1.5mm", "2.0"], "jsonl", SINGLE),
        (["1", "N/A"], "csv", SINGLE),
        ([1.0, 0.0], "jsonl", SINGLE),  # whole numbers: the reader asks for the user's word
        (["1", "0"], "csv", SINGLE),
        (["[1]", "none"], "csv", SINGLE),
        ([3.8, 5], "jsonl", REGRESSION),
        (["3.8", "5.000"], "csv", REGRESSION),
        ([None, 3.8], "jsonl", REGRESSION),
        ([["a"], []], "jsonl", MULTI),
        (["[1, 3]", "[]"], "csv", MULTI),
    ],
)
def test_the_kind_of_label_is_found(source, labels, form, expected):
    train = source(texts_with(labels), form)
    assert reader_of(train).problem_type == expected
    assert reader_of(train, problem_type=REGRESSION).problem_type == REGRESSION


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_lists_of_labels_become_indices(source, form):
    lists = [[3, 1], [], [10, 3]]
    train = source(texts_with([json.dumps(v) for v in lists] if form == "csv" else lists, "labels"), form)
    reader = reader_of(train)
    assert [row["label"] for row in read_all(reader, train)] == [[0, 1], [], [2, 0]]
    assert reader.labels.close(train) == [1, 0, 2] and reader.labels.names == ["1", "3", "10"]
    assert reader.label_field == "label" and reader.arrow_schema().field("label").type == pa.list_(pa.int64())
    assert reader.found_options() == {"problem_type": MULTI, "num_labels": 3}


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_whole_numbers_with_a_decimal_point_are_what_the_user_says(source, form):
    train = source(texts_with([1.0, 0.0, 1.0]), form)
    classes = reader_of(train, problem_type=SINGLE)
    assert [row["label"] for row in read_all(classes, train)] == [0, 1, 0]
    assert classes.labels.close(train) == [1, 0] and classes.labels.names == ["0", "1"]
    numbers = reader_of(train, problem_type=REGRESSION)
    assert [row["label"] for row in read_all(numbers, train)] == [1.0, 0.0, 1.0]


def test_names_of_classes_are_kept_where_some_look_like_numbers(source):
    train = source(texts_with(["1.5mm", "2.5", "3.0"]))
    reader = reader_of(train, problem_type=SINGLE)
    read_all(reader, train)
    reader.labels.close(train)
    assert reader.labels.names == ["1.5mm", "2.5", "3.0"]


@pytest.mark.parametrize("odd", ["N/A", "nan", "-inf", True])
def test_a_value_that_is_no_number_among_numbers_is_refused(source, odd):
    with pytest.raises(DataError) as caught:
        reader_of(source(texts_with(["0.1", None, odd, "2"])))
    assert caught.value.setting == "train_file"


def test_one_label_is_enough_where_rows_may_have_none(source):
    train = source(texts_with([["toxic"], []]))
    reader = reader_of(train)
    read_all(reader, train)
    assert reader.labels.close(train) == [0]


def test_lists_that_are_all_empty(source):
    train = source(texts_with([[], []]))
    reader = reader_of(train)
    read_all(reader, train)
    with pytest.raises(DataError) as caught:
        reader.labels.close(train)
    assert caught.value.setting == "train_file"


def test_numbers_and_how_far_apart_they_may_be(source):
    train = source(texts_with(["1.5", "2", "4.0", "4.5"]), "csv")
    reader = reader_of(train)
    assert [row["label"] for row in read_all(reader, train)] == [1.5, 2.0, 4.0, 4.5]
    # mean 3, squares 2.25 + 1 + 1 + 2.25 = 6.5, over 4 rows
    assert reader.found_options()["agreement_tolerance"] == pytest.approx(0.05 * math.sqrt(6.5 / 4))
    assert reader.labels is None and reader.label_field is None
    assert reader.arrow_schema().field("label").type == pa.float64()


def test_classes_and_what_was_found_makes_the_task(source):
    train = source(texts_with(["pos", "neg", "pos"]))
    reader = get_task("text_classification").row_reader(train, ColumnChoice())
    assert [row["label"] for row in read_all(reader, train)] == [0, 1, 0]
    assert reader.labels.close(train) == [1, 0]
    assert reader.found_options() == {"problem_type": SINGLE, "num_labels": 2}
    assert get_task("text_classification", reader.found_options()).options.num_labels == 2


def test_scores_that_do_not_fit_what_was_found(source):
    train = source(texts_with([["a"], []]))
    with pytest.raises(ConfigError) as caught:
        get_task("text_classification", {"metrics": ["f1"]}).row_reader(train, ColumnChoice())
    assert caught.value.setting == "task_args.metrics"


@pytest.mark.parametrize(
    ("labels", "problem_type", "setting"),
    [
        (
            [1.0],
            "",
            "train_file",
        ),
        (
            [[1]],
            SINGLE,
            "train_file",
        ),
        (
            [[1], 2],
            "",
            "train_file",
        ),
        (["['a', 'b']"], MULTI, "train_file"),
        ([["a", None]], "", "train_file"),
        ([["a", " "]], "", "train_file"),
        ([[0.5]], "", "train_file"),
        (
            [[0.0, 1.0, 0.0]],
            "",
            "train_file",
        ),
        (
            [["2"], [1, 0, 1]],
            "",
            "train_file",
        ),
        ([["a", " a"]], "", "train_file"),
        (["high"], REGRESSION, "train_file"),
        ([True], REGRESSION, "train_file"),
        (["nan"], REGRESSION, "train_file"),
        ([[1.5]], REGRESSION, "train_file"),
    ],
)
def test_labels_that_do_not_fit_their_kind(source, labels, problem_type, setting):
    train = source(texts_with(labels))
    with pytest.raises(DataError) as caught:
        read_all(reader_of(train, problem_type=problem_type), train)
    assert caught.value.setting == setting


@pytest.mark.parametrize(
    ("row", "what", "column"),
    [
        ({"premise": "x", "hypothesis": " ", "label": 1}, "text", "hypothesis"),
        ({"premise": None, "hypothesis": "x", "label": 1}, "text", "premise"),
        ({"premise": "x", "hypothesis": "x", "label": None}, "label", "label"),
        ({"premise": "x", "hypothesis": "x", "label": ""}, "label", "label"),
    ],
)
def test_missing_values_are_told_by_the_users_column(source, row, what, column):
    train = source([{"premise": "a", "hypothesis": "b", "label": 0}, row])
    with pytest.raises(MissingValueError) as caught:
        read_all(reader_of(train), train)
    assert (caught.value.what, caught.value.column) == (what, column)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        (5, "train_file"),
        ("half \ud83d", "train_file"),
    ],
)
def test_texts_that_cannot_be_read(source, text, setting):
    train = source([{"text": "a", "label": 0}, {"text": text, "label": 1}])
    with pytest.raises(DataError) as caught:
        read_all(reader_of(train), train)
    assert caught.value.setting == setting
