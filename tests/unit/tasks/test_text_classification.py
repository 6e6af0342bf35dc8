"""Batches, scores and predictions of text classification."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from sparse_core.tasks import get_task, load_tokenizer, read_schema
from sparse_core.tasks.inference import predict_torch

TASK = get_task("text_classification")


@pytest.fixture
def rows(dataset, encoder):
    return TASK.load_split(dataset, "train", load_tokenizer(encoder), 16)


def test_a_batch_is_padded_to_its_longest_row(rows, encoder):
    batch = TASK.collator(load_tokenizer(encoder))([rows[0], rows[3]])
    assert set(batch) == {"input_ids", "token_type_ids", "attention_mask", "labels"}
    assert batch["input_ids"].tolist() == [[2, 9, 5, 7, 3], [2, 6, 3, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert batch["labels"].tolist() == [1, 0] and batch["labels"].dtype == batch["input_ids"].dtype == torch.int64


def test_further_columns_go_through_the_collator(rows, encoder):
    features = [{**rows[index], "teacher_logits": [0.5, index]} for index in (0, 3)]
    batch = TASK.collator(load_tokenizer(encoder))(features)
    assert batch["teacher_logits"].tolist() == [[0.5, 0.0], [0.5, 3.0]]
    del features[0]["labels"], features[1]["labels"]
    assert "labels" not in TASK.collator(load_tokenizer(encoder))(features)


def test_the_collator_can_go_to_a_worker_process(rows, encoder):
    collator = pickle.loads(pickle.dumps(TASK.collator(load_tokenizer(encoder))))
    assert collator([rows[0]])["input_ids"].tolist() == [[2, 9, 5, 7, 3]]


def test_scores_worked_out_by_hand():
    # predicted 0 0 1 1 2 2, so right are 0 0 1 2; per class 2 * right / (predicted + true)
    logits = np.eye(3)[[0, 0, 1, 1, 2, 2]]
    metrics = TASK.compute_metrics(logits, np.array([0, 0, 1, 0, 2, 1]))
    assert metrics["accuracy"] == pytest.approx(4 / 6)
    f1 = [2 * 2 / (2 + 3), 2 * 1 / (2 + 2), 2 * 1 / (2 + 1)]
    assert metrics["f1"] == pytest.approx(sum(f1) / 3)
    assert TASK.primary_metric in metrics and all(type(value) is float for value in metrics.values())


def test_a_class_that_nobody_has_does_not_lower_f1():
    assert TASK.compute_metrics(np.eye(4)[[0, 1]], np.array([0, 1])) == {"accuracy": 1.0, "f1": 1.0}
    assert TASK.compute_metrics(np.eye(2)[[0, 0]], np.array([1, 1])) == {"accuracy": 0.0, "f1": 0.0}


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_predictions_are_in_the_order_of_the_rows(rows, encoder, dataset, batch_size):
    model = TASK.load_model(encoder, read_schema(dataset)).train()
    collator = TASK.collator(load_tokenizer(encoder))
    logits = predict_torch(model, rows, collator, batch_size)
    assert logits.shape == (5, 2) and logits.dtype == np.float32
    assert model.training
    model.eval()
    with torch.no_grad():
        for index in range(5):
            alone = model(**{k: v for k, v in collator([rows[index]]).items() if k != "labels"}).logits[0].numpy()
            np.testing.assert_allclose(logits[index], alone, atol=1e-6)
