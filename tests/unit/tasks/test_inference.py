"""Predictions of a whole split: each row's own, whatever the batches, the order and the engine."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sparse_core.tasks import get_task, load_tokenizer, read_schema
from sparse_core.tasks.inference import named_outputs, predict, rows_by_length, torch_forward
from tests.unit.tasks.conftest import TEXTS, make_dataset

TASK = get_task("text_classification", {"problem_type": "multi_label_classification", "num_labels": 2})
"""Its predictions are the logits."""


@pytest.fixture
def collator(encoder):
    return TASK.collator(load_tokenizer(encoder))


@pytest.fixture
def rows(tmp_path, encoder):
    dataset = make_dataset(tmp_path / "dataset")
    return get_task("text_classification").load_split(dataset, "train", load_tokenizer(encoder), 16)


def test_the_longest_rows_come_first_and_equal_ones_as_they_are(rows):
    assert rows["length"][:] == [5, 5, 5, 3, 9]
    assert rows_by_length(rows).tolist() == [4, 0, 1, 2, 3]
    assert rows_by_length(rows.select([3, 2, 4])).tolist() == [2, 1, 0]
    assert rows_by_length(rows.select([])).tolist() == []


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_predictions_are_in_the_order_of_the_rows(rows, encoder, dataset, collator, batch_size):
    model = get_task("text_classification").load_model(encoder, read_schema(dataset)).train()
    logits = predict(torch_forward(model, TASK), TASK, rows, collator, batch_size)
    assert len(logits) == len(TEXTS) and logits[0].dtype == np.float32 and model.training
    model.eval()
    with torch.no_grad():
        for index in range(5):
            alone = model(**{k: v for k, v in collator([rows[index]]).items() if k != "labels"}).logits[0].numpy()
            np.testing.assert_allclose(logits[index], alone, atol=1e-6)


def test_batches_hold_rows_of_like_length_and_no_labels(rows, collator):
    shapes = []

    def forward(inputs):
        assert set(inputs) == {"input_ids", "attention_mask", "token_type_ids"}
        shapes.append(inputs["input_ids"].shape)
        return [inputs["input_ids"][:, :2]]

    predictions = predict(forward, TASK, rows, collator, 2)
    assert shapes == [(2, 9), (2, 5), (1, 3)]
    assert [row.tolist() for row in predictions] == [ids[:2] for ids in rows["input_ids"][:]]


def test_no_rows_no_predictions(rows, collator):
    assert predict(lambda inputs: [], TASK, rows.select([]), collator, 2) == []


def test_outputs_by_name_or_in_the_order_of_the_model():
    logits = np.ones((2, 3), dtype=np.float16)
    by_name = named_outputs(TASK, {"hidden": np.zeros(1), "logits": logits})
    in_order = named_outputs(TASK, (logits, np.zeros(1)))
    for outputs in (by_name, in_order):
        assert list(outputs) == ["logits"] and outputs["logits"].dtype == np.float32
        np.testing.assert_array_equal(outputs["logits"], logits)


def test_inputs_that_the_model_does_not_take_are_left_out(encoder, dataset):
    model = get_task("text_classification").load_model(encoder, read_schema(dataset))
    inputs = {"input_ids": np.array([[2, 5, 3]]), "attention_mask": np.ones((1, 3), dtype=np.int64)}
    forward = torch_forward(model, TASK)
    expected = forward(inputs)["logits"]
    np.testing.assert_array_equal(forward({**inputs, "langs": np.zeros((1, 3))})["logits"], expected)
