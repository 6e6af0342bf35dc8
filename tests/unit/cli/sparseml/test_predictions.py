from __future__ import annotations

import json

import datasets
import numpy as np
import pytest

from sparse_core.errors import ConfigError
from sparse_core.export.samples import write_samples
from sparse_core.tasks import DatasetSchema, get_task
from sparse_core.tasks.predicted import Predicted
from sparse_core.tasks.question_answering.answers import WindowAnswer

NO_ROWS = datasets.Dataset.from_dict({})


def write(directory, task, predictions, labels=(), name="", rows=NO_ROWS, examples=NO_ROWS, tokenizer=None):
    schema = DatasetSchema(task.name, {}, list(labels), {})
    return task.write_predictions(directory, name, Predicted(predictions, rows, examples, schema, tokenizer))


def test_classes(tmp_path):
    path = write(tmp_path, get_task("text_classification"), [1, 0], ["no", "yes"], name="qqp")
    assert path.name == "predict_results_qqp.txt"
    assert path.read_text() == "index\tprediction\n0\tyes\n1\tno\n"


def test_numbers_have_three_decimals(tmp_path):
    task = get_task("text_classification", {"problem_type": "regression"})
    path = write(tmp_path, task, [0.12345, -2.0])
    assert path.name == "predict_results.txt"
    assert path.read_text() == "index\tprediction\n0\t0.123\n1\t-2.000\n"


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [(0.5, ["b", "", "a,b"]), (0.25, ["a,b", "", "a,b"]), (0.0, ["a,b", "a,b", "a,b"]), (1.0, ["", "", ""])],
)
def test_several_labels(threshold, expected, tmp_path):
    # the logit of 0.25 is -1.0986
    task = get_task("text_classification", {"problem_type": "multi_label_classification", "threshold": threshold})
    logits = [np.float32([-1.0, 0.1]), np.float32([-9.0, -1.2]), np.float32([3.0, 3.0])]
    lines = write(tmp_path, task, logits, ["a", "b"]).read_text().splitlines()
    assert [line.split("\t")[1] for line in lines[1:]] == expected


@pytest.mark.parametrize(
    ("label_all_tokens", "max_seq_length", "expected", "num_unseen"),
    [
        (False, 16, "O B-X I-X O\nB-X O\n", 1),
        (True, 16, "O B-X B-X I-X\nI-X O\n", 1),  # the second word has three pieces, of which the first counts
        (False, 5, "O B-X O O\nB-X O\n", 3),
        (True, 5, "O B-X O O\nI-X O\n", 3),
    ],
)
def test_each_word_has_one_tag(label_all_tokens, max_seq_length, expected, num_unseen, tmp_path, model, caplog):
    tags = ["O", "B-X", "I-X"]
    task = get_task("token_classification", {"label_all_tokens": label_all_tokens, "tag_names": tags})
    tokenizer = task.load_tokenizer(model)
    examples = datasets.Dataset.from_dict({"tokens": [["good", "bad-word1", "word2", "where"], ["word3", "\u200b"]]})
    rows = datasets.Dataset.from_dict(task.tokenize(examples[:], [0, 1], tokenizer, max_seq_length))
    labelled = [sum(label != -100 for label in labels) for labels in rows["labels"]]
    predictions = [np.arange(count, dtype=np.int32) % 3 for count in labelled]
    predictions[1] += 1 + label_all_tokens
    path = write(tmp_path, task, predictions, tags, rows=rows, examples=examples, tokenizer=tokenizer)
    assert path.name == "predictions.txt" and path.read_text() == expected
    assert f"--do_predict: {num_unseen} words have the tag O because the model was not given them" in caplog.text


def window(spans, scores, null=0.0):
    return WindowAnswer(np.array(spans).reshape(-1, 2), np.array(scores), null, (0, 0))


@pytest.mark.parametrize(("threshold", "answer"), [(None, "Bonn"), (1.0, "Bonn"), (0.5, "")])
def test_answers_of_all_windows_of_a_question(threshold, answer, tmp_path):
    options = {} if threshold is None else {"version_2_with_negative": True, "null_score_diff_threshold": threshold}
    task = get_task("question_answering", options)
    rows = datasets.Dataset.from_dict({"example": [1, 0, 1]})
    examples = datasets.Dataset.from_dict({"id": ["a", "b"], "context": ["in Rome", "Bonn or Köln"]})
    windows = [window([[0, 4]], [2.0], 2.7), window([[3, 7]], [1.0], -9.0), window([[8, 12]], [1.5], 3.0)]
    path = write(tmp_path, task, windows, rows=rows, examples=examples)
    assert path.name == "predict_predictions.json"
    assert json.loads(path.read_text()) == {"a": "Rome", "b": answer}


def test_nothing_to_predict(tmp_path):
    with pytest.raises(ConfigError) as caught:
        write(tmp_path, get_task("masked_language_modeling"), [])
    assert caught.value.setting == "do_predict"


def test_samples_are_rows_without_a_batch_axis(tmp_path, model):
    task = get_task("text_classification")
    schema = DatasetSchema(task.name, {}, ["no", "yes"], {})
    network = task.load_model(model, schema)
    tokenizer = task.load_tokenizer(model)
    rows = datasets.Dataset.from_dict({**tokenizer(["word1 word2", "good"]), "labels": [0, 1]})
    (tmp_path / "sample-inputs").mkdir()
    (tmp_path / "sample-inputs" / "inp-0007.npz").write_text("earlier")
    write_samples(tmp_path, network, task, rows, task.collator(tokenizer))
    assert sorted(path.name for path in (tmp_path / "sample-inputs").iterdir()) == ["inp-0000.npz", "inp-0001.npz"]
    inputs = np.load(tmp_path / "sample-inputs" / "inp-0000.npz")
    assert set(inputs) == {"input_ids", "token_type_ids", "attention_mask"}
    assert inputs["input_ids"].tolist() == rows[0]["input_ids"] and inputs["input_ids"].dtype == np.int64
    outputs = np.load(tmp_path / "sample-outputs" / "out-0001.npz")
    import torch

    with torch.no_grad():
        expected = network(**tokenizer("good", return_tensors="pt")).logits[0]
    assert outputs["logits"] == pytest.approx(expected.numpy(), abs=1e-6)
