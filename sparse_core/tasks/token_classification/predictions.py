"""Token classification: the file of predictions."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from sparse_core.tasks.collate import IGNORE_INDEX
from sparse_core.tasks.predicted import Predicted

logger = logging.getLogger(__name__)

_UNSEEN = "O"
"""Tag of words that a model was not given."""


def prediction_lines(predicted: Predicted) -> Iterator[str]:
    """A line of tags for each row, one tag for each word: that of its first piece, and O for a word never read.

    Predictions are those of the labelled tokens of a row; the tokenizer says again to which words these belong.
    """
    label_names = predicted.schema.label_names
    num_unseen = 0
    for prediction, labels, words in zip(
        predicted.predictions, predicted.rows["labels"], predicted.examples["tokens"], strict=True
    ):
        encoding = predicted.tokenizer(words, is_split_into_words=True, truncation=True, max_length=len(labels))
        labelled = [word for word, label in zip(encoding.word_ids(), labels, strict=True) if label != IGNORE_INDEX]
        first_pieces = dict(reversed(list(zip(labelled, prediction, strict=True))))
        num_unseen += len(words) - len(first_pieces)
        yield " ".join(
            label_names[first_pieces[word]] if word in first_pieces else _UNSEEN for word in range(len(words))
        )
    if num_unseen:
        logger.warning(
            "--do_predict: %d words have the tag %s because the model was not given them: they are beyond "
            "max_seq_length, or the tokenizer keeps nothing of them",
            num_unseen,
            _UNSEEN,
        )
