"""Rows without labels give the same inputs, and can be batched and predicted, but not scored."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

from sparse_core.errors import DataError
from sparse_core.sources.data.data_file import DataFile
from sparse_core.sources.data.split_writer import write_split
from sparse_core.tasks import ColumnChoice, get_task, load_tokenizer
from sparse_core.tasks.rows import UnlabelledReader

CASES = {
    "class": ("text_classification", {}, "label", {"text": "a good film", "label": "x"}),
    "pair": ("text_classification", {}, "label", {"text": "good", "text_pair": "bad", "label": "x"}),
    "several": (
        "text_classification",
        {"problem_type": "multi_label_classification", "num_labels": 2},
        "label",
        {"text": "bad", "label": ["x"]},
    ),
    "number": ("text_classification", {"problem_type": "regression"}, "label", {"text": "good", "label": 0.5}),
    "tags": ("token_classification", {"tag_names": ["x", "y"]}, "tags", {"tokens": ["badly", "a"], "tags": ["y", "x"]}),
    "answers": (
        "question_answering",
        {"doc_stride": 2},
        "answers",
        {
            "id": "7",
            "question": "the",
            "context": "a very very good film",
            "answers": {"text": ["good"], "answer_start": [12]},
        },
    ),
}


@pytest.fixture
def case(request, tmp_path):
    """A task, its reader, a source of one labelled row and one of the same row without its label."""
    name, options, label, row = CASES[request.param]
    task = get_task(name, options)
    sources = []
    for setting, values in (("train_file", row), ("test_file", {k: v for k, v in row.items() if k != label})):
        (tmp_path / f"{setting}.jsonl").write_text(json.dumps(values) + "\n")
        sources.append(DataFile(setting, tmp_path / f"{setting}.jsonl"))
    pair = "text,text_pair" if "text_pair" in row else ""
    return task, task.row_reader(sources[0], ColumnChoice(text_column=pair)), *sources, label


def columns_of(path):
    with pa.OSFile(str(path), "rb") as source, pa.ipc.open_stream(source) as reader:
        return reader.read_all()


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_the_columns_are_the_same_but_for_the_label(case, tmp_path):
    _, reader, train, test, label = case
    assert write_split(train, reader, tmp_path / "train.arrow") == 1
    assert write_split(test, UnlabelledReader(reader), tmp_path / "test.arrow") == 1
    labelled, unlabelled = columns_of(tmp_path / "train.arrow"), columns_of(tmp_path / "test.arrow")
    assert reader.target == label == labelled.column_names[-1]
    assert labelled.drop_columns([label]).equals(unlabelled)


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_a_reader_of_labelled_rows_needs_their_label(case):
    _, reader, _, test, label = case
    with pytest.raises(DataError) as caught:
        reader.read(next(test.rows()), test)
    assert caught.value.setting == "label_column"


@pytest.mark.parametrize("case", CASES, indirect=True)
def test_a_batch_has_the_same_inputs_and_no_label(case, encoder):
    task, reader, train, test, label = case
    tokenizer = load_tokenizer(encoder)
    batches = []
    for read, source in ((reader.read, train), (reader.read_inputs, test)):
        row = read(next(source.rows()), source)
        columns = task.tokenize({name: [value] for name, value in row.items()}, [0], tokenizer, 8)
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        batches.append({name: x.tolist() for name, x in task.collator(tokenizer)(rows).items()})
    labelled, unlabelled = batches
    labels = {name: labelled.pop(name) for name in task.label_columns}
    if label == "tags":  # which say where a tag is predicted: at "bad" and "a", not at "##ly" and special tokens
        assert labels == {"labels": [[-100, 1, -100, 0, -100]]}
        assert unlabelled.pop("labels") == [[-100, 0, -100, 0, -100]]
    assert unlabelled == labelled
    assert len(labelled["input_ids"]) == (2 if label == "answers" else 1)
