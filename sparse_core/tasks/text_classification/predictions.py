"""Text classification: the file of predictions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from sparse_core.tasks.text_classification.rows import MULTI_LABEL, REGRESSION


def prediction_lines(options: Any, label_names: Sequence[str], predictions: Sequence[Any]) -> Iterator[str]:
    """A header, and a line of index and label for each row; several labels with commas, a number with 3 decimals.

    Args:
        options: of text classification.
        label_names: in the order of their indices.
        predictions: the task's.
    """
    yield "index\tprediction"
    for index, prediction in enumerate(predictions):
        if options.problem_type == REGRESSION:
            text = f"{prediction:.3f}"
        elif options.problem_type == MULTI_LABEL:
            smallest = _logit(options.threshold)
            text = ",".join(name for name, logit in zip(label_names, prediction, strict=True) if logit >= smallest)
        else:
            text = label_names[prediction]
        yield f"{index}\t{text}"


def _logit(probability: float) -> float:
    if probability in (0.0, 1.0):
        return math.copysign(math.inf, probability - 0.5)
    return math.log(probability / (1 - probability))
