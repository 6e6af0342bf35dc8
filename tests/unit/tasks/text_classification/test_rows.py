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
    ("row", "choice", "message"),
    [
        ({"a": "x", "b": "y", "label": 1}, {}, r"^text_column: not given, and .* has 2 columns of text; name one or, "
                                               r"separated by a comma, two of a, b$"),
        ({"a": 1, "label": 1}, {}, r"^text_column: .* has no column of text besides the label; it has a, label$"),
        ({"text": "x", "label": 1}, {"text": "txet"}, r"^text_column: .* \(train_file\) has no column 'txet'; it has "
                                                      r"text, label; did you mean 'text'\?$"),
        ({"text": "x", "label": 1}, {"text": "text,label"}, r"^text_column: 'label' is also the label_column"),
        ({"a": "x", "b": "y", "c": "z", "label": 1}, {"text": "a,b,c"}, r"^text_column: expected a column, or two .*, "
                                                                        r"got 'a,b,c'$"),
        ({"text": "x", "class": 1}, {}, r"^label_column: not given, and .* has no column label or labels; name one of "
                                        r"text, class$"),
        ({"text": "x", "label": 1}, {"label": "lable"}, r"^label_column: .* has no column 'lable'.*mean 'label'\?$"),
    ],
)  # fmt: skip
def test_columns_that_are_not_there_or_not_told(source, row, choice, message):
    with pytest.raises(DataError, match=message):
        reader_of(source([row]), **choice)


def test_another_split_without_the_columns(source):
    reader = reader_of(source([{"text": "x", "label": 1}]))
    other = source([{"txt": "x", "label": 1}], setting="test_file")
    with pytest.raises(
        DataError, match=r"^text_column: .*test_file.jsonl \(test_file\) has no column 'text'; it has txt"
    ):
        read_all(reader, other)


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
    message = (
        rf"row 3 \(line 3\): label '?{odd}'? in column 'label' is not a number, and others are numbers with a "
        r"fraction; correct it or remove the row, or, if they are names of classes, set problem_type in task_args"
    )
    with pytest.raises(DataError, match=message):
        reader_of(source(texts_with(["0.1", None, odd, "2"])))


def test_one_label_is_enough_where_rows_may_have_none(source):
    train = source(texts_with([["toxic"], []]))
    reader = reader_of(train)
    read_all(reader, train)
    assert reader.labels.close(train) == [0]


def test_lists_that_are_all_empty(source):
    train = source(texts_with([[], []]))
    reader = reader_of(train)
    read_all(reader, train)
    with pytest.raises(DataError, match=r"no row has a label in column 'label'"):
        reader.labels.close(train)


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
    with pytest.raises(ConfigError, match=r"^task_args: metrics: f1 is no score of multi_label_classification"):
        get_task("text_classification", {"metrics": ["f1"]}).row_reader(train, ColumnChoice())


@pytest.mark.parametrize(
    ("labels", "problem_type", "message"),
    [
        (
            [1.0],
            "",
            r"label 1\.0 in column 'label' is a number with a decimal point; .* in task_args to regression, or, if all",
        ),
        (
            [[1]],
            SINGLE,
            r"label \[1\] in column 'label' is a list; give each row one label, or set problem_type in task_args",
        ),
        (
            [[1], 2],
            "",
            r"row 2 \(line 2\): label 2 in column 'label' is not a list of labels; write .* \[\"a\", \"b\"\]$",
        ),
        (["['a', 'b']"], MULTI, r"label \"\['a', 'b'\]\" in column 'label' is not a list of labels"),
        ([["a", None]], "", r"label \['a', None\] in column 'label' is not a list of labels"),
        ([["a", " "]], "", r"label \['a', ' '\] in column 'label' is not a list of labels"),
        ([[0.5]], "", r"label \[0\.5\] in column 'label' has numbers with a decimal point; write .* name or index$"),
        (
            [[0.0, 1.0, 0.0]],
            "",
            r"label \[0\.0, 1\.0, 0\.0\] .* decimal point; write each label of the row once, by its name or index: "
            r"\[1\] in place of this vector of 0 and 1$",
        ),
        (
            [["2"], [1, 0, 1]],
            "",
            r"row 2 \(line 2\): label \[1, 0, 1\] .* names a label twice; .*: \[0, 2\] in place of this vector",
        ),
        ([["a", " a"]], "", r"label \['a', ' a'\] in column 'label' names a label twice; write .* name or index$"),
        (["high"], REGRESSION, r"label 'high' in column 'label' is not a number, which regression needs$"),
        ([True], REGRESSION, r"label True in column 'label' is not a number"),
        (["nan"], REGRESSION, r"label 'nan' in column 'label' is not a number"),
        ([[1.5]], REGRESSION, r"label \[1\.5\] in column 'label' is not a number"),
    ],
)
def test_labels_that_do_not_fit_their_kind(source, labels, problem_type, message):
    train = source(texts_with(labels))
    with pytest.raises(DataError, match=message):
        read_all(reader_of(train, problem_type=problem_type), train)


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
    ("text", "message"),
    [
        (5, r"row 2 \(line 2\): column 'text' has 5, expected text; name another text_column$"),
        ("half \ud83d", r"the text has '\\ud83d', half of a character; write the whole character$"),
    ],
)
def test_texts_that_cannot_be_read(source, text, message):
    train = source([{"text": "a", "label": 0}, {"text": text, "label": 1}])
    with pytest.raises(DataError, match=message):
        read_all(reader_of(train), train)
