"""Rows of questions, contexts and answers: both forms, columns of other names, and every refusal by its message."""

from __future__ import annotations

import json
import unicodedata

import pytest

from sparse_core.errors import ConfigError, DataError
from sparse_core.sources.data.data_file import DataFile
from sparse_core.tasks.question_answering.rows import AnswerReader
from sparse_core.tasks.rows import ColumnChoice, MissingValueError

CONTEXT = "The Saxon Garden is in Warsaw, and Warsaw is in Poland."
RECORD = {
    "id": "q1",
    "title": "Warsaw",
    "context": CONTEXT,
    "question": "Where is the garden?",
    "answers": {"text": ["Warsaw", "in Warsaw"], "answer_start": [23, 20]},
}


@pytest.fixture
def read(tmp_path):
    """Reads records through a file, as `fetch_dataset` does."""

    def read(*records, may_lack_answer=False, suffix=".jsonl", **choice):
        path = tmp_path / f"train{suffix}"
        text = "\n".join(map(json.dumps, records)) if suffix == ".jsonl" else records[0]
        path.write_text(text)
        source = DataFile("train_file", path)
        reader = AnswerReader(source, ColumnChoice(**choice), may_lack_answer=may_lack_answer)
        return [reader.read(row, source) for row in source.rows()]

    return read


def with_answers(answers, **values):
    return {**RECORD, **values, "answers": answers}


def one(text, start, **values):
    return with_answers({"text": [text], "answer_start": [start]}, **values)


def test_a_record_of_squad(read):
    assert read(RECORD) == [{name: value for name, value in RECORD.items() if name != "title"}]


def test_pairs_of_text_and_start_become_two_lists(read):
    pairs = [{"text": "Warsaw", "answer_start": 23}, {"text": "in Warsaw", "answer_start": 20, "answer_id": 5}]
    assert read(with_answers(pairs))[0]["answers"] == RECORD["answers"]


def test_the_values_fit_the_arrow_schema(tmp_path, read):
    import pyarrow as pa

    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps(RECORD))
    schema = AnswerReader(DataFile("train_file", path), ColumnChoice()).arrow_schema()
    assert schema.names == ["id", "question", "context", "answers"]
    values = read(RECORD)
    assert pa.RecordBatch.from_pylist(values, schema).to_pylist() == values


def test_ids_are_text_and_the_row_where_there_is_none(read):
    records = [RECORD, {**RECORD, "id": 7}, {**RECORD, "id": None}]
    assert [row["id"] for row in read(*records)] == ["q1", "7", "3"]
    without = {name: value for name, value in RECORD.items() if name != "id"}
    assert [row["id"] for row in read(without, without)] == ["1", "2"]


def test_columns_of_other_names(read):
    record = {"q": "Where?", "passage": CONTEXT, "gold": RECORD["answers"]}
    (row,) = read(record, text_column="q, passage", label_column="gold")
    assert row == {"id": "1", "question": "Where?", "context": CONTEXT, "answers": RECORD["answers"]}


def test_source_columns_name_the_users_columns_in_the_order_of_arrow(tmp_path):
    path = tmp_path / "train.jsonl"
    path.write_text(json.dumps({**RECORD, "q": "?"}))
    reader = AnswerReader(DataFile("train_file", path), ColumnChoice(text_column="q,context"))
    assert list(reader.source_columns.items()) == [
        ("id", "id"),
        ("question", "q"),
        ("context", "context"),
        ("answers", "answers"),
    ]
    assert reader.labels is None and reader.label_field is None and reader.found_options() == {}


def test_starts_count_characters_whatever_their_bytes(read):
    context = "😀😀 Ça va, e\u0301te\u0301 comme hiver"
    rows = read(one("Ça va", 3, context=context), one("e\u0301te\u0301", 10, context=context))
    assert [row["answers"]["answer_start"] for row in rows] == [[3], [10]]


@pytest.mark.parametrize("answers", [{"text": [], "answer_start": []}, []])
def test_no_answer_needs_version_2(read, answers):
    (row,) = read(with_answers(answers), may_lack_answer=True)
    assert row["answers"] == {"text": [], "answer_start": []}
    with pytest.raises(DataError) as caught:
        read(RECORD, with_answers(answers))
    assert caught.value.setting == "train_file"


@pytest.mark.parametrize(
    ("text", "start", "setting"),
    [
        (
            "Warsaw",
            22,
            "train_file",
        ),
        ("Warsaw", 34, "train_file"),  # of two places the nearer
        ("Warsaw", 500, "train_file"),
        ("Warsaw", -7, "train_file"),
        ("warsaw", 23, "train_file"),
        ("Poland. ", 48, "train_file"),
    ],
)
def test_an_answer_that_is_not_in_its_place(read, text, start, setting):
    with pytest.raises(DataError) as caught:
        read(RECORD, one(text, start))
    assert caught.value.setting == setting


def test_starts_counted_in_bytes_and_other_compositions_of_characters_are_found(read):
    context = "Ça va à Łódź"
    with pytest.raises(DataError) as caught:
        read(one("Łódź", len("Ça va à ".encode()), context=context))
    assert caught.value.setting == "train_file"
    decomposed = unicodedata.normalize("NFD", "Łódź")
    with pytest.raises(DataError) as caught:
        read(one(decomposed, 8, context=context))
    assert caught.value.setting == "train_file"


@pytest.mark.parametrize(
    ("answers", "setting"),
    [
        ({"text": ["Warsaw"], "answer_start": []}, "train_file"),
        ({"text": ["Warsaw"], "answer_start": [23, 35]}, "train_file"),
        ("Warsaw", "train_file"),
        (["Warsaw"], "train_file"),
        (7, "train_file"),
        ({}, "train_file"),
        ({"text": "Warsaw", "answer_start": 23}, "train_file"),
        ([{"text": "Warsaw"}], "train_file"),
        ({"text": ["Warsaw"], "answer_start": ["23"]}, "train_file"),
        ({"text": ["Warsaw"], "answer_start": [True]}, "train_file"),
        ({"text": ["Warsaw"], "answer_start": [23.0]}, "train_file"),
        ({"text": ["Warsaw", ""], "answer_start": [23, 0]}, "train_file"),
        ({"text": ["Warsaw", " "], "answer_start": [23, 3]}, "train_file"),
        ({"text": [5], "answer_start": [23]}, "train_file"),
    ],
)
def test_answers_of_another_form(read, answers, setting):
    with pytest.raises(DataError) as caught:
        read(RECORD, with_answers(answers))
    assert caught.value.setting == setting


def test_a_csv_file_cannot_hold_answers(read):
    text = 'question,context,answers\nWhere?,In Warsaw,"{""text"": [""Warsaw""], ""answer_start"": [3]}"\n'
    with pytest.raises(DataError) as caught:
        read(text, suffix=".csv")
    assert caught.value.setting == "train_file"


@pytest.mark.parametrize("value", [None, "", " \n"])
@pytest.mark.parametrize("column", ["question", "context", "answers"])
def test_a_row_that_lacks_a_value_is_counted(read, column, value):
    with pytest.raises(MissingValueError) as raised:
        read({**RECORD, column: value})
    assert (raised.value.what, raised.value.column) == (column, column)


@pytest.mark.parametrize("column", ["id", "question", "context"])
def test_half_of_a_character(read, column):
    with pytest.raises(DataError) as caught:
        read({**RECORD, column: "a \ud83d"})
    assert caught.value.setting == "train_file"


def test_a_text_that_is_no_text(read):
    with pytest.raises(DataError) as caught:
        read({**RECORD, "question": 7})
    assert caught.value.setting == "train_file"


@pytest.mark.parametrize("missing", ["question", "context", "answers"])
def test_a_column_that_is_not_there(read, tmp_path, missing):
    record = {name: value for name, value in RECORD.items() if name != missing} | {f"{missing}_": "x"}
    setting = "label_column" if missing == "answers" else "text_column"
    with pytest.raises(DataError, match=rf"^{setting}: .* has no column '{missing}'; .*did you mean '{missing}_'"):
        read(record)


def test_a_column_that_another_split_lacks(tmp_path):
    train, validation = (tmp_path / f"{name}.jsonl" for name in ("train", "validation"))
    train.write_text(json.dumps(RECORD))
    validation.write_text(json.dumps({name: RECORD[name] for name in ("question", "answers")}))
    reader = AnswerReader(DataFile("train_file", train), ColumnChoice())
    source = DataFile("validation_file", validation)
    with pytest.raises(DataError) as caught:
        reader.read(next(iter(source.rows())), source)
    assert caught.value.setting == "text_column"


@pytest.mark.parametrize("given", ["question", "a,b,c", "context,context", "question,", ","])
def test_text_column_names_two_columns(read, given):
    with pytest.raises(ConfigError) as caught:
        read(RECORD, text_column=given)
    assert (caught.value.setting, caught.value.got) == ("text_column", given)


def test_a_task_name_says_nothing_here(read):
    with pytest.raises(ConfigError) as caught:
        read(RECORD, task_name="squad")
    assert caught.value.setting == "task_name"
