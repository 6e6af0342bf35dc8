"""Scores of classes, of sets of labels, and of numbers, by the names that users and GLUE know them by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def class_metrics(predicted: np.ndarray, labels: np.ndarray, num_labels: int, names: Sequence[str]) -> dict[str, float]:
    """Scores of one class for each row.

    Args:
        predicted: (rows,) int, indices of classes.
        labels: (rows,) int.
        num_labels: number of classes.
        names: any of accuracy, f1, matthews_correlation, and those of `number_metrics` over the indices.
            f1: with two classes that of the second, as GLUE has it.
    """
    import numpy as np
    from sklearn import metrics

    scores = {}
    for name in names:
        if name == "accuracy":
            scores[name] = np.mean(predicted == labels)
        elif name == "f1":
            scores[name] = _second_class_f1(predicted, labels) if num_labels == 2 else macro_f1(predicted, labels)
        elif name == "matthews_correlation":
            scores[name] = metrics.matthews_corrcoef(labels, predicted)
        else:
            scores |= number_metrics(predicted, labels, [name])
    return {name: float(score) for name, score in scores.items()}


def macro_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """F1 as the plain mean over the classes that are in the labels or the predictions."""
    from sklearn import metrics

    return float(metrics.f1_score(labels, predicted, average="macro", zero_division=0.0))


def _second_class_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    from sklearn import metrics

    return float(metrics.f1_score(labels == 1, predicted == 1, zero_division=0.0))


def label_set_metrics(predicted: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Scores of a set of labels for each row.

    Args:
        predicted: (rows, labels) bool.
        labels: (rows, labels) bool.

    Returns:
        f1, precision, recall: over all decisions together; macro_f1: the plain mean over the labels, 0 for one that
        is neither there nor predicted; accuracy: the share of rows whose whole set is right.
    """
    import numpy as np
    from sklearn import metrics

    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels.ravel(), predicted.ravel(), average="binary", zero_division=0.0
    )
    macro = f1
    if labels.shape[1] > 1:  # scikit-learn takes a single column for two classes
        macro = metrics.f1_score(labels, predicted, average="macro", zero_division=0.0)
    return {
        "f1": float(f1),
        "precision": float(precision),
        "recall": float(recall),
        "macro_f1": float(macro),
        "accuracy": float(np.mean((predicted == labels).all(axis=1))),
    }


def number_metrics(predicted: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Scores of one number for each row.

    Args:
        predicted: (rows,) float.
        labels: (rows,) float.
        names: any of pearson, spearmanr (-1 to 1; 0 where all numbers of a side are equal) and mse.
    """
    import numpy as np
    from scipy import stats

    predicted, labels = predicted.astype(np.float64), labels.astype(np.float64)
    scores = {}
    for name in names:
        if name == "pearson":
            scores[name] = _correlation(predicted, labels)
        elif name == "spearmanr":
            scores[name] = _correlation(stats.rankdata(predicted), stats.rankdata(labels))
        else:
            scores[name] = float(np.mean((predicted - labels) ** 2))
    return scores


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    import numpy as np

    first, second = first - first.mean(), second - second.mean()
    size = np.sqrt((first @ first) * (second @ second))
    return float(first @ second / size) if size else 0.0
