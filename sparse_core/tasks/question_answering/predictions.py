"""Question answering: the file of predictions."""

from __future__ import annotations

from sparse_core.tasks.predicted import Predicted
from sparse_core.tasks.question_answering.answers import WindowAnswer, best_text


def answers_by_id(threshold: float | None, predicted: Predicted) -> dict[str, str]:
    """The answer to each question, by its id.

    Args:
        threshold: see `best_text`.
        predicted: the predictions for the windows.
    """
    windows: dict[int, list[WindowAnswer]] = {}
    for number, prediction in zip(predicted.rows["example"][:], predicted.predictions, strict=True):
        windows.setdefault(number, []).append(prediction)
    answers = {}
    for number in sorted(windows):
        example = predicted.examples[number]
        answers[example["id"]] = best_text(example["context"], windows[number], threshold)
    return answers
