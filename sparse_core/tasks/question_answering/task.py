"""Question answering: the span of a context that answers a question about it, or none."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import category

from pydantic import Field

from sparse_core.errors import ConfigError, Setting
from sparse_core.store import write_json
from sparse_core.tasks.base import Collator, Task, TaskOptions
from sparse_core.tasks.collate import PaddingCollator
from sparse_core.tasks.heads import Head
from sparse_core.tasks.pairs import room_for_pair
from sparse_core.tasks.predicted import Predicted
from sparse_core.tasks.question_answering.answers import (
    WindowAnswer,
    best_over,
    best_text,
    exact_match,
    f1,
    normalized,
    window_answers,
)
from sparse_core.tasks.question_answering.rows import AnswerReader
from sparse_core.tasks.rows import ColumnChoice, RowReader

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast

    from sparse_core.sources.data.rows import RowSource

logger = logging.getLogger(__name__)

_LEAST_STEP_SHARE = 4
"""Of the tokens beside those that windows share, a question leaves at least a fourth to each window's new ones."""


class QuestionAnsweringOptions(TaskOptions):
    """Options of question answering."""

    version_2_with_negative: bool = Field(
        False, description="the data has questions that their context does not answer, as SQuAD 2 has"
    )
    doc_stride: int | None = Field(
        None,
        ge=0,
        description="tokens that two consecutive windows of a long context share; unset: a third of max_seq_length",
    )
    n_best_size: int = Field(
        20, ge=1, description="likeliest starts and ends of a window that are combined to find the answer"
    )
    max_answer_length: int = Field(30, ge=1, description="most tokens in an answer")
    null_score_diff_threshold: float = Field(
        0.0,
        description="a question has no answer if that score exceeds the best span's by more than this; only "
        "with version_2_with_negative",
    )


class QuestionAnswering(Task):
    """The answer to a question as a span of its context.

    A context that is too long for one row becomes several, its windows, which share tokens so that an answer is whole
    in one of them. A prediction is a `WindowAnswer`.
    """

    name = "question_answering"
    options_class = QuestionAnsweringOptions
    options: QuestionAnsweringOptions
    head = Head("AutoModelForQuestionAnswering", outputs=("start_logits", "end_logits"))
    row_name = "windows of texts"
    prediction_files = r"predict_predictions\.json"
    label_columns = ("start_positions", "end_positions")
    cuts_rows = False
    primary_metric = "f1"

    def __init__(self, task_args: Mapping[str, Any] | None = None) -> None:
        """Takes the options.

        Raises:
            ConfigError: an option is unknown, out of range, or has no effect.
        """
        super().__init__(task_args)
        if self.options.null_score_diff_threshold and not self.options.version_2_with_negative:
            raise ConfigError(
                "task_args.null_score_diff_threshold",
                (
                    f"{self.options.null_score_diff_threshold} has no effect without ",
                    Setting("task_args.version_2_with_negative"),
                ),
                fix="set that to true, or leave the threshold out",
            )

    def row_reader(self, train: RowSource, choice: ColumnChoice) -> RowReader:
        """Question, context and answers; see `Task.row_reader`."""
        return AnswerReader(train, choice, may_lack_answer=self.options.version_2_with_negative)

    def head_values(self) -> dict[str, Any]:
        """The number of outputs: a classifier's config may say another number, and the head obeys it."""
        return {"num_labels": len(self.output_names)}

    def load_tokenizer(self, directory: Path) -> PreTrainedTokenizerFast:
        """The tokenizer of a model directory; pads on the right, so that positions in a row are those in its batch.

        Raises:
            ModelError: see `Task.load_tokenizer`.
        """
        tokenizer = super().load_tokenizer(directory)
        tokenizer.padding_side = "right"
        return tokenizer

    def tokenize(
        self, rows: dict[str, list], numbers: Sequence[int], tokenizer: PreTrainedTokenizerFast, max_seq_length: int
    ) -> dict[str, list]:
        """Windows of the contexts, each behind its question.

        Args:
            rows: `question`, `context` and, for the two label columns, `answers`, the first of which is the label.
            numbers: index of each row in its split.
            tokenizer: of the model that will read them.
            max_seq_length: most tokens in a window, those of the question and special ones included.

        Returns:
            The tokenizer's inputs and, for each window, `start_positions` and `end_positions` (first and last token of
            the answer, `null_position` where the window does not hold all of it), `null_position` (the token that
            stands for "no answer": CLS), `example` (index of the row) and `offsets` (two integers for each token: its
            first character in the context and the one after its last; -1 for tokens that are not of the context).

        Raises:
            ConfigError: max_seq_length has no room for more than doc_stride tokens of context.
        """
        encoding = tokenizer(
            self._questions(rows["question"], tokenizer, max_seq_length),
            rows["context"],
            truncation="only_second",
            max_length=max_seq_length,
            stride=self._doc_stride(tokenizer, max_seq_length),
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
        )
        samples = encoding.pop("overflow_to_sample_mapping")
        places = encoding.pop("offset_mapping")
        null_positions = [_index_or_first(ids, tokenizer.cls_token_id) for ids in encoding["input_ids"]]
        offsets = [
            _context_offsets(places[window], encoding.sequence_ids(window), rows["context"][sample])
            for window, sample in enumerate(samples)
        ]
        labels = {}
        if "answers" in rows:
            answers = [_answer_span(answers) for answers in rows["answers"]]
            spans = [
                _token_span(own, answers[sample]) or (null, null)
                for own, sample, null in zip(offsets, samples, null_positions, strict=True)
            ]
            labels = dict(zip(self.label_columns, map(list, zip(*spans, strict=True)), strict=True))
        return {
            **encoding,
            **labels,
            "null_position": null_positions,
            "example": [numbers[sample] for sample in samples],
            "offsets": [own.ravel() for own in offsets],
        }

    def collator(
        self, tokenizer: PreTrainedTokenizerFast, *, training: bool = False, pad_to: int | None = None
    ) -> Collator:
        """`start_positions` and `end_positions` are (batch,) int64."""
        return PaddingCollator(tokenizer, per_row=self.label_columns, pad_to=pad_to)

    def predictions(self, outputs: Mapping[str, np.ndarray], rows: Mapping[str, list]) -> list[Any]:
        """Of each window a `WindowAnswer`."""
        return window_answers(
            outputs["start_logits"],
            outputs["end_logits"],
            rows["offsets"],
            rows["null_position"],
            n_best_size=self.options.n_best_size,
            max_answer_length=self.options.max_answer_length,
        )

    def score(self, predictions: Sequence[Any], rows: Dataset, examples: Dataset) -> dict[str, float]:
        """SQuAD's `exact_match` and `f1`, 0 to 1, over the questions that the rows are windows of.

        With `version_2_with_negative` also `HasAns_` and `NoAns_` ones over the questions with and without an answer,
        where there are such.
        """
        windows: dict[int, list[WindowAnswer]] = {}
        for example, prediction in zip(rows["example"][:], predictions, strict=True):
            windows.setdefault(example, []).append(prediction)
        numbers = sorted(windows)
        has_answer, exact_matches, f1_scores = [], [], []
        chosen = examples.select(numbers).select_columns(["context", "answers"])
        for number, example in zip(numbers, chosen, strict=True):
            answer = best_text(example["context"], windows[number], self._null_threshold)
            texts = example["answers"]["text"]
            golds = self._golds(texts)
            has_answer.append(bool(texts))
            exact_matches.append(best_over(exact_match, answer, golds))
            f1_scores.append(best_over(f1, answer, golds))
        scores = {"exact_match": _mean(exact_matches), "f1": _mean(f1_scores)}
        if self.options.version_2_with_negative:
            for prefix, which in (("HasAns_", True), ("NoAns_", False)):
                is_one = [has is which for has in has_answer]
                if any(is_one):
                    scores[f"{prefix}exact_match"] = _mean(list(compress(exact_matches, is_one)))
                    scores[f"{prefix}f1"] = _mean(list(compress(f1_scores, is_one)))
        return scores

    def agreement(self, first: Sequence[Any], second: Sequence[Any]) -> float:
        """Share of windows whose likeliest start and end are the same tokens."""
        return _mean([one.likeliest == other.likeliest for one, other in zip(first, second, strict=True)])

    def write_predictions(self, directory: Path, name: str, predicted: Predicted) -> Path:
        """`predict_predictions.json`, the questions' ids and answers; see `Task.write_predictions`."""
        from sparse_core.tasks.question_answering.predictions import answers_by_id

        path = directory / "predict_predictions.json"
        write_json(path, answers_by_id(self._null_threshold, predicted))
        return path

    @property
    def _null_threshold(self) -> float | None:
        return self.options.null_score_diff_threshold if self.options.version_2_with_negative else None

    def _golds(self, texts: Sequence[str]) -> list[str]:
        """The answers that count as right; version 2 leaves out those of articles and punctuation alone."""
        return [text for text in texts if normalized(text)] if self.options.version_2_with_negative else list(texts)

    def _doc_stride(self, tokenizer: PreTrainedTokenizerFast, max_seq_length: int) -> int:
        if self.options.doc_stride is not None:
            return self.options.doc_stride
        return min(max_seq_length // 3, _room(tokenizer, max_seq_length) - 2)

    def _questions(
        self, questions: Sequence[str], tokenizer: PreTrainedTokenizerFast, max_seq_length: int
    ) -> list[str]:
        """The questions without white space before them, cut where they would leave the context too little room."""
        doc_stride = self._doc_stride(tokenizer, max_seq_length)
        room = _room(tokenizer, max_seq_length)
        if doc_stride > room - 2:
            raise ConfigError(
                "task_args.doc_stride",
                accepted=f"at most {room - 2}, which windows of {max_seq_length} tokens can share",
                got=doc_stride,
                fix=("set it to about a third of ", Setting("max_seq_length")),
            )
        beyond_shared = room - doc_stride
        most_tokens = beyond_shared - max(1, beyond_shared // _LEAST_STEP_SHARE)
        stripped = [question.lstrip() for question in questions]
        ids = tokenizer(stripped, add_special_tokens=False, verbose=False)["input_ids"]
        if max(map(len, ids)) <= most_tokens:
            return stripped
        _log_cut_questions(most_tokens, max_seq_length, doc_stride)
        return [_cut(question, most_tokens, tokenizer) for question in stripped]


def _room(tokenizer: PreTrainedTokenizerFast, max_seq_length: int) -> int:
    return room_for_pair(tokenizer, max_seq_length, "a question and a context")


@cache  # once for each setting and not for each batch
def _log_cut_questions(most_tokens: int, max_seq_length: int, doc_stride: int) -> None:
    logger.warning(
        "questions of more than %d tokens are cut, to leave room for the context beside max_seq_length %d and "
        "doc_stride %d; raise max_seq_length or lower doc_stride to keep them whole",
        most_tokens,
        max_seq_length,
        doc_stride,
    )


def _cut(question: str, most_tokens: int, tokenizer: PreTrainedTokenizerFast) -> str:
    """The beginning of a question, of at most so many tokens."""
    while True:
        encoding = tokenizer(question, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        places = encoding["offset_mapping"]
        if len(places) <= most_tokens:
            return question
        first_to_go = places[most_tokens][0]
        question = question[: min(first_to_go, len(question) - 1)]  # shorter in any case, so this ends


def _answer_span(answers: Mapping[str, Sequence]) -> tuple[int, int] | None:
    """First character of the first answer and the one after its last, without white space around it."""
    if not answers["text"]:
        return None
    text, start = answers["text"][0], answers["answer_start"][0]
    start += len(text) - len(text.lstrip())
    return start, start + len(text.strip())


def _context_offsets(places: Sequence[tuple[int, int]], sequence_ids: Sequence[int | None], context: str) -> np.ndarray:
    """Characters of each token, int32 (tokens, 2); -1 for tokens that are of no character of the context."""
    import numpy as np

    offsets = np.array(places, dtype=np.int32)
    is_context = np.array([sequence == 1 for sequence in sequence_ids])
    offsets[~is_context | (offsets[:, 0] >= offsets[:, 1])] = -1
    if not context.isascii():
        _add_marks(offsets, context)
    return offsets


def _add_marks(offsets: np.ndarray, context: str) -> None:
    """Adds accents that stand after a token, and that the tokenizer has dropped, to the token's characters."""
    next_starts = [*offsets[1:, 0].tolist(), -1]
    for token, (end, next_start) in enumerate(zip(offsets[:, 1].tolist(), next_starts, strict=True)):
        last = end
        while 0 <= last < len(context) and last != next_start and category(context[last]).startswith("M"):
            last += 1
        offsets[token, 1] = last


def _token_span(offsets: np.ndarray, span: tuple[int, int] | None) -> tuple[int, int] | None:
    """First and last token of a span of characters; None where a window does not hold all of it."""
    if span is None:
        return None
    starts, ends = offsets[:, 0], offsets[:, 1]
    tokens = ((ends > span[0]) & (starts < span[1]) & (starts >= 0)).nonzero()[0]
    context = (starts >= 0).nonzero()[0]
    if not len(tokens) or starts[context[0]] > span[0] or ends[context[-1]] < span[1]:
        return None
    return int(tokens[0]), int(tokens[-1])


def _index_or_first(ids: Sequence[int], token_id: int | None) -> int:
    return ids.index(token_id) if token_id in ids else 0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
