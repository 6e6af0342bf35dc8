"""What a model predicts for the test rows, in the files and forms of Hugging Face's example scripts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts import write_json
from sparse_core.errors import ConfigError
from sparse_core.tasks.answers import WindowAnswer, best_text
from sparse_core.tasks.text_rows import MULTI_LABEL, REGRESSION

if TYPE_CHECKING:
    from datasets import Dataset

    from sparse_core.tasks import DatasetSchema, Task


def write_predictions(
    output_dir: Path,
    name: str,
    task: Task,
    schema: DatasetSchema,
    predictions: Sequence[Any],
    rows: Dataset,
    examples: Dataset,
) -> Path:
    """Writes the predictions for a split.

    - text classification: `predict_results[_name].txt`, a header and a line of index and label for each row; several
      labels are separated by commas, a number has three decimals.
    - token classification: `predictions.txt`, a line of tags for each row, one tag for each word.
    - question answering: `predict_predictions.json`, an object of the questions' ids and answers.

    Args:
        output_dir: where.
        name: marks the file where there are several splits; may be empty.
        task: of the rows.
        schema: of the data.
        predictions: the task's, one for each of `rows`.
        rows: tokenized rows.
        examples: the split before tokenization.

    Returns:
        The file.

    Raises:
        ConfigError: the task has nothing to predict.
    """
    if task.name == "question_answering":
        path = output_dir / "predict_predictions.json"
        write_json(path, _answers(task, predictions, rows, examples))
        return path
    lines: Callable[..., Iterator[str]]
    if task.name == "text_classification":
        path, lines = output_dir / f"predict_results{name and f'_{name}'}.txt", _labels
    elif task.name == "token_classification":
        path, lines = output_dir / "predictions.txt", _tags
    else:
        raise ConfigError(f"--do_predict: {task.name} has no predictions to write; use --do_eval")
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("w", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines(task, schema, predictions))
    partial.replace(path)
    return path


def _labels(task: Any, schema: DatasetSchema, predictions: Sequence[Any]) -> Iterator[str]:
    yield "index\tprediction"
    for index, prediction in enumerate(predictions):
        if task.options.problem_type == REGRESSION:
            text = f"{prediction:.3f}"
        elif task.options.problem_type == MULTI_LABEL:
            smallest = _logit(task.options.threshold)
            text = ",".join(
                name for name, logit in zip(schema.label_names, prediction, strict=True) if logit >= smallest
            )
        else:
            text = schema.label_names[prediction]
        yield f"{index}\t{text}"


def _logit(probability: float) -> float:
    if probability in (0.0, 1.0):
        return math.copysign(math.inf, probability - 0.5)
    return math.log(probability / (1 - probability))


def _tags(task: Any, schema: DatasetSchema, predictions: Sequence[Any]) -> Iterator[str]:
    for tags in predictions:
        yield " ".join(schema.label_names[tag] for tag in tags)


def _answers(task: Any, predictions: Sequence[Any], rows: Dataset, examples: Dataset) -> dict[str, str]:
    """The answer to each question, by its id."""
    options = task.options
    threshold = options.null_score_diff_threshold if options.version_2_with_negative else None
    windows: dict[int, list[WindowAnswer]] = {}
    for number, prediction in zip(rows["example"][:], predictions, strict=True):
        windows.setdefault(number, []).append(prediction)
    found = {}
    for number in sorted(windows):
        example = examples[number]
        found[example["id"]] = best_text(example["context"], windows[number], threshold)
    return found
