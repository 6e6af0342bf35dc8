"""Tokens, batches, predictions, scores and agreement of every kind of label."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
import torch

from sparse_core.errors import ConfigError
from sparse_core.tasks import get_task, load_tokenizer, read_schema, task_of
from sparse_core.tasks.inference import predict, torch_forward
from tests.unit.tasks.conftest import TEXTS, make_dataset

SINGLE = {"problem_type": "single_label_classification", "num_labels": 2}
MULTI = {"problem_type": "multi_label_classification", "num_labels": 3}
REGRESSION = {"problem_type": "regression", "agreement_tolerance": 0.25}
LISTS = [[2, 0], [], [1], [0], [0, 1, 2]]
NUMBERS = [0.5, 1.5, -2.0, 3.25, 0.5]


@pytest.fixture
def tokenizer(encoder):
    return load_tokenizer(encoder)


@pytest.fixture
def make_rows(tmp_path, tokenizer):
    """Tokenized rows of a data set of each kind of label, with the task and the data set."""

    def make(kind=SINGLE, **values):
        labels = {
            "multi_label_classification": (LISTS, ("a", "b", "c"), pa.list_(pa.int64())),
            "regression": (NUMBERS, (), pa.float64()),
        }.get(kind["problem_type"], ([1, 0, 1, 0, 1], ("no", "yes"), None))
        dataset = make_dataset(tmp_path / "dataset", TEXTS, *labels[:2], label_type=labels[2], **kind, **values)
        task = task_of(read_schema(dataset))
        return task, task.load_split(dataset, "validation", tokenizer, 16), dataset

    return make


def logits_of(*probabilities):
    return np.log(np.array(probabilities) / (1 - np.array(probabilities))).astype(np.float32)


@pytest.mark.parametrize("length", [3, 4])
def test_a_row_has_room_for_both_texts_of_a_pair(tokenizer, length):
    rows = {"text": ["a b c"], "text_pair": ["d e"]}
    task = get_task("text_classification", SINGLE)
    with pytest.raises(ConfigError, match=f"^max_seq_length: .* at least 5, room for two texts .*, got {length}$"):
        task.tokenize(rows, [0], tokenizer, length)
    assert len(task.tokenize(rows, [0], tokenizer, 5)["input_ids"][0]) == 5
    assert len(task.tokenize({"text": ["a b c"]}, [0], tokenizer, length)["input_ids"][0]) == length


def test_labels_of_each_kind_in_rows_and_batches(make_rows, tokenizer, tmp_path):
    expected = [
        (SINGLE, [1, 0], torch.int64),
        (MULTI, [[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]], torch.float32),
        (REGRESSION, [0.5, 1.5], torch.float32),
    ]
    for kind, labels, dtype in expected:
        task, rows, _ = make_rows(kind)
        assert rows["labels"][:2] == labels
        batch = task.collator(tokenizer)([rows[0], rows[1]])
        assert set(batch) == {"input_ids", "token_type_ids", "attention_mask", "labels"}
        assert batch["labels"].tolist() == labels and batch["labels"].dtype == dtype
    assert rows.features["labels"].dtype == "float32"


def test_a_pair_is_one_row_of_two_segments_cut_to_length(make_rows, tmp_path, tokenizer):
    dataset = make_dataset(
        tmp_path / "pairs", ["a good film", "bad"], [0, 1], pairs=["bad", "a very good plot"], **SINGLE
    )
    rows = get_task("text_classification").load_split(dataset, "train", tokenizer, 6)
    assert rows["input_ids"][:] == [[2, 9, 5, 3, 6, 3], [2, 6, 3, 9, 11, 3]]  # the longer text of each pair is cut
    assert rows["token_type_ids"][0] == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("kind", [SINGLE, MULTI, REGRESSION])
def test_a_model_of_each_kind_learns_from_its_batch_and_predicts(make_rows, encoder, tokenizer, kind):
    task, rows, dataset = make_rows(kind)
    torch.manual_seed(0)
    model = task.load_model(encoder, read_schema(dataset))
    collate = task.collator(tokenizer)
    batch = collate([rows[index] for index in range(5)])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(150):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    predictions = predict(torch_forward(model, task), task, rows, collate, 2)
    scores = task.score(predictions, rows, rows)
    assert next(iter(scores)) == task.primary_metric and scores[task.primary_metric] > 0.7
    assert all(type(score) is float for score in scores.values())
    assert task.agreement(predictions, predictions) == 1.0


def test_classes(make_rows):
    task, rows, _ = make_rows()
    predictions = task.predictions({"logits": np.array([[1, 2], [2, 1], [0, 3], [0, 3], [3, 0]], np.float32)}, rows[:])
    assert predictions == [1, 0, 1, 1, 0]
    # labels 1 0 1 0 1: class 0 has 1 right of 2 and 2, class 1 has 2 right of 3 and 3
    assert task.score(predictions, rows, rows) == {
        "accuracy": pytest.approx(3 / 5),
        "f1": pytest.approx((1 / 2 + 2 / 3) / 2),
    }
    assert task.score([1, 0], rows.select([2, 3]), rows) == {"accuracy": 1.0, "f1": 1.0}
    assert task.agreement(predictions, [1, 1, 1, 1, 1]) == pytest.approx(3 / 5)


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        (  # f1 of the second class, as mrpc and qqp
            ["accuracy", "f1"],
            {"accuracy": 3 / 5, "f1": 2 * 2 / (3 + 3), "combined_score": (3 / 5 + 2 / 3) / 2},
        ),
        (["matthews_correlation"], {"matthews_correlation": (2 * 1 - 1 * 1) / math.sqrt(3 * 3 * 2 * 2)}),
    ],
)
def test_scores_that_are_asked_for(make_rows, metrics, expected):
    task, rows, _ = make_rows(metrics=metrics)
    assert task.primary_metric == metrics[0]
    assert task.score([1, 0, 1, 1, 0], rows, rows) == pytest.approx(expected)


def test_sets_of_labels(make_rows):
    task, rows, _ = make_rows(MULTI)
    probabilities = [[0.31, 0.29, 0.9], [0.1, 0.1, 0.1], [0.2, 0.8, 0.5], [0.9, 0.1, 0.1], [0.9, 0.9, 0.1]]
    predictions = task.predictions({"logits": logits_of(*probabilities)}, rows[:])
    scores = task.score(predictions, rows, rows)
    # chosen: ac, none, bc, a, ab; labels: ac, none, b, a, abc: 6 right, 1 wrong, 1 missed
    assert scores["precision"] == scores["recall"] == scores["f1"] == pytest.approx(6 / 7)
    assert scores["accuracy"] == pytest.approx(3 / 5)
    strict = get_task("text_classification", {**MULTI, "threshold": 0.5})
    # chosen: c, none, bc, a, ab
    assert strict.score(predictions, rows, rows)["recall"] == pytest.approx(5 / 7)
    other = list(logits_of(*probabilities))
    other[0] = logits_of([0.29, 0.29, 0.9])[0]
    assert task.agreement(predictions, other) == pytest.approx(14 / 15)


def test_a_logit_of_any_size_is_a_probability(make_rows):
    task, rows, _ = make_rows(MULTI)
    predictions = task.predictions({"logits": np.array([[-1e30, 1e30, -1e4]], np.float32)}, rows[:1])
    with np.errstate(all="raise", under="ignore"):
        assert task.score(predictions, rows.select([2]), rows)["accuracy"] == 1.0


def test_numbers(make_rows):
    task, rows, _ = make_rows(REGRESSION)
    predictions = task.predictions({"logits": np.array([[0.5], [1.25], [-2.0], [3.25], [1.5]], np.float32)}, rows[:])
    assert predictions == [0.5, 1.25, -2.0, 3.25, 1.5]
    scores = task.score(predictions, rows, rows)
    assert scores["mse"] == pytest.approx((0.25**2 + 1) / 5)
    assert scores["pearson"] == pytest.approx(np.corrcoef(predictions, NUMBERS)[0, 1])
    assert task.agreement(predictions, NUMBERS) == pytest.approx(4 / 5)  # one is 0.25 away, one 1.0
    assert task.score([0.5] * 5, rows, rows)["pearson"] == 0.0


@pytest.mark.parametrize(
    ("kind", "primary"), [(SINGLE, "accuracy"), (MULTI, "f1"), (REGRESSION, "pearson"), ({}, "accuracy")]
)
def test_models_are_compared_by(kind, primary):
    assert get_task("text_classification", kind).primary_metric == primary


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        (
            {**REGRESSION, "metrics": ["pearson", "f1"]},
            "task_args.metrics",
        ),
        ({**MULTI, "metrics": ["f1"]}, "task_args.metrics"),
    ],
)
def test_scores_of_another_kind_of_label(options, setting):
    with pytest.raises(ConfigError) as caught:
        get_task("text_classification", options)
    assert caught.value.setting == setting
