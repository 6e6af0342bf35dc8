"""Token classification: a tag for each word, such as names of persons and places, or parts of speech."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from sparse_core.errors import ConfigError
from sparse_core.tasks.base import Collator, Task, TaskOptions
from sparse_core.tasks.collate import IGNORE_INDEX, PaddingCollator
from sparse_core.tasks.heads import Head
from sparse_core.tasks.predicted import Predicted, write_lines
from sparse_core.tasks.rows import ColumnChoice, RowReader
from sparse_core.tasks.token_classification.entities import EntityCounts, count_entities, inside_of
from sparse_core.tasks.token_classification.rows import TokenReader

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast

    from sparse_core.sources.data.rows import RowSource


class TokenClassificationOptions(TaskOptions):
    """Options of token classification."""

    label_all_tokens: bool = Field(
        False,
        description="true: label every piece of a word, those of B-x after the first with I-x if the data has it; "
        "false: label the first piece only",
    )
    return_entity_level_metrics: bool = Field(
        False,
        description="add the scores `<type>_precision`, `<type>_recall`, `<type>_f1` and `<type>_number` (entities in "
        "the data) for each type",
    )
    tag_names: tuple[str, ...] = Field(
        (),
        description="names of all tags in the order of their numbers, for data that has numbers only; empty: the data "
        "decides them",
    )


class TokenClassification(Task):
    """One tag for each word of a text.

    A prediction holds the index of the tag at each labelled token, int32 (labelled tokens,).
    """

    name = "token_classification"
    options_class = TokenClassificationOptions
    options: TokenClassificationOptions
    head = Head(auto_class="AutoModelForTokenClassification", has_labels=True)
    prediction_files = r"predictions\.txt"
    primary_metric = "f1"

    def __init__(self, task_args: Mapping[str, Any] | None = None) -> None:
        """Takes the options.

        Raises:
            ConfigError: an option is unknown or out of range, or a tag has no name or that of another.
        """
        super().__init__(task_args)
        names = [name.strip() for name in self.options.tag_names]
        wrong = next((name for index, name in enumerate(names) if not name or name in names[:index]), None)
        if wrong is not None:
            raise ConfigError("task_args.tag_names", accepted="names that are not empty and differ", got=wrong)

    def row_reader(self, train: RowSource, choice: ColumnChoice) -> RowReader:
        """A column with lists of words and one with lists of tags; see `Task.row_reader`."""
        return TokenReader(train, choice, self.options.tag_names)

    def load_tokenizer(self, directory: Path) -> PreTrainedTokenizerFast:
        """The tokenizer of a model directory, which reads each word as one in the middle of a text.

        A byte-level tokenizer tells by the space before it that a word begins, and words in a list have none. It is
        made to put one there, and is saved that way. It pads on the right, so that a token has the same position in
        the batch as in its row.

        Raises:
            ModelError: see `Task.load_tokenizer`.
        """
        tokenizer = super().load_tokenizer(directory)
        tokenizer.padding_side = "right"
        _separate_words(tokenizer)
        return tokenizer

    def tokenize(
        self, rows: dict[str, list], numbers: Sequence[int], tokenizer: PreTrainedTokenizerFast, max_seq_length: int
    ) -> dict[str, list]:
        """Ids of `tokens`, and `labels`: the tag's index at the first piece of each word, or at all its pieces.

        Special tokens, and further pieces without `label_all_tokens`, have IGNORE_INDEX. A word of which the tokenizer
        keeps nothing, such as a control character, has no label. Rows without `tags` are given the first tag
        everywhere, so that `labels` tells the tokens to predict a tag at.
        """
        encoding = tokenizer(rows["tokens"], is_split_into_words=True, truncation=True, max_length=max_seq_length)
        inside_labels = self._inside_labels() if self.options.label_all_tokens else None
        tag_lists = rows.get("tags") or [[0] * len(tokens) for tokens in rows["tokens"]]
        labels = [_aligned(tags, encoding.word_ids(index), inside_labels) for index, tags in enumerate(tag_lists)]
        return {**encoding, "labels": labels}

    def collator(
        self, tokenizer: PreTrainedTokenizerFast, *, training: bool = False, pad_to: int | None = None
    ) -> Collator:
        """`labels` are (batch, tokens) int64, IGNORE_INDEX where the inputs are padded."""
        return PaddingCollator(tokenizer, per_token={"labels": IGNORE_INDEX}, pad_to=pad_to)

    def predictions(self, outputs: Mapping[str, np.ndarray], rows: Mapping[str, list]) -> list[Any]:
        """Of each row: the indices of the likeliest tags at its labelled tokens."""
        import numpy as np

        chosen = outputs["logits"].argmax(axis=-1).astype(np.int32)
        labels = [np.asarray(row) for row in rows["labels"]]
        return [row[: len(own)][own != IGNORE_INDEX] for row, own in zip(chosen, labels, strict=True)]

    def score(self, predictions: Sequence[Any], rows: Dataset, examples: Dataset) -> dict[str, float]:
        """Precision, recall and f1 of entities (see `entities.py`), and the share of tokens with the right tag.

        All count labelled tokens only: words beyond `max_seq_length` are in no score. With
        `return_entity_level_metrics` also `<type>_precision`, `_recall`, `_f1` and `_number`, the last being the
        entities of that type in the data.
        """
        import numpy as np
        import pyarrow.compute as pc

        column = rows.with_format("arrow")["labels"][:]
        labels = pc.list_flatten(column).to_numpy()
        sentences = pc.list_parent_indices(column).to_numpy()
        true, sentences = labels[labels != IGNORE_INDEX], sentences[labels != IGNORE_INDEX]
        predicted = np.concatenate([*predictions, np.zeros(0, dtype=np.int32)])
        by_type = count_entities(true, predicted, sentences, self._tag_names())
        overall = sum(by_type.values(), EntityCounts())
        scores = {
            "precision": overall.precision,
            "recall": overall.recall,
            "f1": overall.f1,
            "accuracy": float(np.mean(predicted == true)) if len(true) else 0.0,
        }
        if self.options.return_entity_level_metrics:
            for name, counts in by_type.items():
                scores[f"{name}_precision"] = counts.precision
                scores[f"{name}_recall"] = counts.recall
                scores[f"{name}_f1"] = counts.f1
                scores[f"{name}_number"] = counts.true
        return scores

    def agreement(self, first: Sequence[Any], second: Sequence[Any]) -> float:
        """Share of labelled tokens with the same tag."""
        import numpy as np

        is_same = [np.equal(one, other) for one, other in zip(first, second, strict=True)]
        return float(np.mean(np.concatenate(is_same))) if sum(map(len, is_same)) else 1.0

    def write_predictions(self, directory: Path, name: str, predicted: Predicted) -> Path:
        """`predictions.txt`, a line of tags for each row; see `Task.write_predictions`."""
        from sparse_core.tasks.token_classification.predictions import prediction_lines

        return write_lines(directory / "predictions.txt", prediction_lines(predicted))

    def _tag_names(self) -> tuple[str, ...]:
        if not self.options.tag_names:
            raise ConfigError(
                "task_args.tag_names", "is not given, and without data there are none", fix="make the data first"
            )
        return self.options.tag_names

    def _inside_labels(self) -> list[int]:
        """Label of a word -> label of its pieces after the first, for each tag."""
        names = self._tag_names()
        return [names.index(inside_of(name)) if inside_of(name) in names else i for i, name in enumerate(names)]


def _aligned(tags: Sequence[int], word_ids: Sequence[int | None], inside_labels: Sequence[int] | None) -> list[int]:
    """The label of each token, from the tags of the words and the word that each token is a piece of."""
    labels = []
    previous = None
    for word in word_ids:
        if word is None:
            labels.append(IGNORE_INDEX)
        elif word != previous:
            labels.append(tags[word])
        else:
            labels.append(IGNORE_INDEX if inside_labels is None else inside_labels[tags[word]])
        previous = word
    return labels


def _separate_words(tokenizer: PreTrainedTokenizerFast) -> None:
    """Makes a byte-level tokenizer put a space before each word of a list; changes no other.

    Where the byte level comes first, it does so itself. Where the words are split before it, it would put spaces
    between their parts, and the normalizer takes its place.
    """
    from tokenizers import Tokenizer

    parts = json.loads(tokenizer.backend_tokenizer.to_str())
    steps = _steps(parts["pre_tokenizer"], "pretokenizers")
    if not any(step["type"] == "ByteLevel" for step in steps):
        return
    if steps[0]["type"] == "ByteLevel":
        for step in (*steps, *_steps(parts["post_processor"], "processors")):
            if "add_prefix_space" in step:
                step["add_prefix_space"] = True
        tokenizer.add_prefix_space = tokenizer.init_kwargs["add_prefix_space"] = True
    elif _SPACE not in (normalizers := _steps(parts["normalizer"], "normalizers")):
        parts["normalizer"] = {"type": "Sequence", "normalizers": [*normalizers, _SPACE]}
    without_words = {"type": "WordLevel", "vocab": {}, "unk_token": ""}
    changed = Tokenizer.from_str(json.dumps({**parts, "model": without_words, "added_tokens": []}))
    backend = tokenizer.backend_tokenizer
    if changed.normalizer is not None:
        backend.normalizer = changed.normalizer
    backend.pre_tokenizer = changed.pre_tokenizer
    backend.post_processor = changed.post_processor


_SPACE = {"type": "Prepend", "prepend": " "}


def _steps(part: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    """The steps of a part of a tokenizer: those of a sequence, itself, or none."""
    if part is None:
        return []
    return part[name] if part["type"] == "Sequence" else [part]
