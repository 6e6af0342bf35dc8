"""Scores against numbers worked out by hand."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest

from sparse_core.tasks.text_classification.metrics import class_metrics, label_set_metrics, macro_f1, number_metrics

PREDICTED = np.array([1, 1, 1, 0, 0, 1])
LABELS = np.array([1, 1, 0, 0, 1, 0])
# of class 1: 2 right, 2 predicted wrongly, 1 missed; of class 0: 1 right, 1 predicted wrongly, 2 missed


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_two_classes():
    scores = class_metrics(PREDICTED, LABELS, 2, ["accuracy", "f1", "matthews_correlation"])
    assert list(scores) == ["accuracy", "f1", "matthews_correlation"]
    assert scores["accuracy"] == pytest.approx(3 / 6)
    assert scores["f1"] == pytest.approx(2 * 2 / (2 * 2 + 2 + 1))
    assert scores["matthews_correlation"] == pytest.approx((2 * 1 - 2 * 1) / math.sqrt(4 * 3 * 3 * 2))
    assert all(type(score) is float for score in scores.values())


def test_matthews_correlation_of_a_better_guess():
    # 3 right of class 1, 1 right of class 0, 1 of class 0 taken for 1
    scores = class_metrics(np.array([1, 1, 1, 0, 1]), np.array([1, 1, 1, 0, 0]), 2, ["matthews_correlation"])
    assert scores["matthews_correlation"] == pytest.approx((3 * 1 - 1 * 0) / math.sqrt(4 * 3 * 2 * 1))


def test_f1_of_more_than_two_classes_is_their_mean():
    predicted, labels = np.array([0, 0, 1, 1, 2, 2]), np.array([0, 0, 1, 0, 2, 1])
    expected = np.mean([2 * 2 / (2 + 3), 2 * 1 / (2 + 2), 2 * 1 / (2 + 1)])  # 2 * right / (predicted + true)
    assert class_metrics(predicted, labels, 3, ["f1"])["f1"] == pytest.approx(expected) == macro_f1(predicted, labels)


def test_classes_of_which_only_two_are_seen_are_not_two_classes():
    assert class_metrics(PREDICTED, LABELS, 3, ["f1"])["f1"] == pytest.approx((4 / 7 + 2 / 5) / 2)


def test_a_class_that_nobody_has_does_not_lower_f1():
    assert macro_f1(np.array([0, 1]), np.array([0, 1])) == 1.0
    assert macro_f1(np.array([0, 0]), np.array([1, 1])) == 0.0


def test_one_class_alone_has_scores():
    alone = np.zeros(4, dtype=int)
    assert class_metrics(alone, LABELS[:4], 2, ["f1", "matthews_correlation", "pearson"]) == {
        "f1": 0.0,
        "matthews_correlation": 0.0,
        "pearson": 0.0,
    }


def test_sets_of_labels():
    labels = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 0]], dtype=bool)
    predicted = np.array([[1, 0, 0], [0, 0, 0], [1, 1, 0], [1, 0, 0]], dtype=bool)
    scores = label_set_metrics(predicted, labels)
    # 3 decisions for a label are right, 1 is wrong, 1 label is missed; labels: 2*2/(3+2), 1, 0
    assert scores["precision"] == pytest.approx(3 / 4) and scores["recall"] == pytest.approx(3 / 4)
    assert scores["f1"] == pytest.approx(3 / 4)
    assert scores["macro_f1"] == pytest.approx((4 / 5 + 1 + 0) / 3)
    assert scores["accuracy"] == pytest.approx(2 / 4)
    assert all(type(score) is float for score in scores.values())


def test_sets_of_one_label_are_not_two_classes():
    scores = label_set_metrics(np.array([[1], [0], [0], [0]], dtype=bool), np.array([[1], [1], [0], [0]], dtype=bool))
    assert scores == pytest.approx({"f1": 2 / 3, "macro_f1": 2 / 3, "precision": 1.0, "recall": 0.5, "accuracy": 0.75})


def test_nothing_predicted_and_nothing_there():
    none = np.zeros((3, 2), dtype=bool)
    assert label_set_metrics(none, none) == {
        "f1": 0.0, "precision": 0.0, "recall": 0.0, "macro_f1": 0.0, "accuracy": 1.0
    }  # fmt: skip


def test_numbers():
    # deviations from the means: predicted -1.5 -0.5 0.5 1.5, labels -2 0 -1 3
    predicted, labels = np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 3.0, 2.0, 6.0])
    scores = number_metrics(predicted, labels, ["pearson", "spearmanr", "mse"])
    assert scores["pearson"] == pytest.approx((3 + 0 - 0.5 + 4.5) / math.sqrt(5 * 14))
    assert scores["spearmanr"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    assert scores["mse"] == pytest.approx((0 + 1 + 1 + 4) / 4)
    assert all(type(score) is float for score in scores.values())


def test_ranks_of_equal_numbers_are_shared():
    # ranks 1.5 1.5 3 against 1 2 3
    scores = number_metrics(np.array([1.0, 1.0, 9.0]), np.array([1.0, 2.0, 3.0]), ["spearmanr"])
    assert scores["spearmanr"] == pytest.approx(1.5 / math.sqrt(1.5 * 2))


@pytest.mark.parametrize("constant_side", [0, 1])
def test_a_constant_has_no_correlation(constant_side):
    sides = [np.full(3, 0.1, dtype=np.float32), np.array([1.0, 2.0, 3.0])]
    first, second = sides if constant_side == 0 else reversed(sides)
    assert number_metrics(first, second, ["pearson", "spearmanr"]) == {"pearson": 0.0, "spearmanr": 0.0}
