"""What a model predicts for the test rows, in the files and forms of Hugging Face's example scripts."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.errors import ConfigError
from sparse_core.store import publishing_file, write_json
from sparse_core.tasks.collate import IGNORE_INDEX
from sparse_core.tasks.question_answering.answers import WindowAnswer, best_text
from sparse_core.tasks.text_classification.rows import MULTI_LABEL, REGRESSION

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast

    from sparse_core.tasks import DatasetSchema, Task

logger = logging.getLogger(__name__)

_UNSEEN = "O"
"""Tag of words that a model was not given."""


def write_predictions(
    output_dir: Path,
    name: str,
    task: Task,
    schema: DatasetSchema,
    predictions: Sequence[Any],
    rows: Dataset,
    examples: Dataset,
    tokenizer: PreTrainedTokenizerFast,
) -> Path:
    """Writes the predictions for a split.

    - text classification: `predict_results[_name].txt`, a header and a line of index and label for each row; several
      labels are separated by commas, a number has three decimals.
    - token classification: `predictions.txt`, a line of tags for each row, one tag for each word: that of its first
      piece, and O for a word that the model was not given.
    - question answering: `predict_predictions.json`, an object of the questions' ids and answers.

    Args:
        output_dir: where.
        name: marks the file where there are several splits; may be empty.
        task: of the rows.
        schema: of the data.
        predictions: the task's, one for each of `rows`.
        rows: tokenized rows.
        examples: the split before tokenization.
        tokenizer: of the rows.

    Returns:
        The file.

    Raises:
        ConfigError: the task has nothing to predict.
    """
    if task.name == "question_answering":
        path = output_dir / "predict_predictions.json"
        write_json(path, _answers(task, predictions, rows, examples))
        return path
    if task.name == "text_classification":
        path, lines = output_dir / f"predict_results{name and f'_{name}'}.txt", _labels(task, schema, predictions)
    elif task.name == "token_classification":
        path, lines = output_dir / "predictions.txt", _tags(schema, predictions, rows, examples, tokenizer)
    else:
        raise ConfigError("do_predict", f"{task.name} has no predictions to write", fix="use do_eval for its scores")
    with publishing_file(path) as partial, partial.open("w", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)
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


def _tags(
    schema: DatasetSchema, predictions: Sequence[Any], rows: Dataset, examples: Dataset, tokenizer: Any
) -> Iterator[str]:
    """A line for each row. Predictions are those of its labelled tokens, so the words are found again."""
    num_unseen = 0
    for prediction, labels, words in zip(predictions, rows["labels"], examples["tokens"], strict=True):
        encoding = tokenizer(words, is_split_into_words=True, truncation=True, max_length=len(labels))
        labelled = [word for word, label in zip(encoding.word_ids(), labels, strict=True) if label != IGNORE_INDEX]
        first_pieces = dict(reversed(list(zip(labelled, prediction, strict=True))))
        num_unseen += len(words) - len(first_pieces)
        yield " ".join(
            schema.label_names[first_pieces[word]] if word in first_pieces else _UNSEEN for word in range(len(words))
        )
    if num_unseen:
        logger.warning(
            "--do_predict: %d words have the tag %s because the model was not given them: they are beyond "
            "max_seq_length, or the tokenizer keeps nothing of them",
            num_unseen,
            _UNSEEN,
        )


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
