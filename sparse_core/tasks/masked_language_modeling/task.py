"""Masked language modeling: the tokens that were masked in a text."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from sparse_core.errors import DataError, ModelError, Setting, listed
from sparse_core.tasks.base import Collator, Task, TaskOptions
from sparse_core.tasks.columns import (
    ROWS_TO_LOOK_AT,
    checked_text,
    is_text,
    require_column,
    text_column,
)
from sparse_core.tasks.heads import Head
from sparse_core.tasks.rows import ColumnChoice, RowReader

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast

    from sparse_core.sources.data.rows import Row, RowSource

logger = logging.getLogger(__name__)

TEXT_COLUMN = "text"
MASKED_COLUMN = "masked"
"""Positions that an evaluation masks, one list for each row."""
_LARGEST_EXPONENT = 700.0  # exp of more is infinite, which JSON cannot say
_ROWS_PER_CHUNK = 1000


class MaskedLanguageModelingOptions(TaskOptions):
    """Options of masked language modeling."""

    mlm_probability: float = Field(0.15, gt=0.0, lt=1.0, description="share of the tokens to mask, above 0 and below 1")
    line_by_line: bool = Field(
        False,
        description="true: each text is a row, cut at max_seq_length; false: the texts are joined, with their special "
        "tokens, and cut into rows of max_seq_length",
    )


class MaskedLanguageModeling(Task):
    """The tokens that were masked in a text.

    A prediction is the sum of the negative log likelihoods of the masked tokens (float), and the most likely id of
    each (int array).
    """

    name = "masked_language_modeling"
    options_class = MaskedLanguageModelingOptions
    options: MaskedLanguageModelingOptions
    head = Head(auto_class="AutoModelForMaskedLM", has_fixed_inputs=False, is_pretraining=True)

    def __init__(self, task_args: Mapping[str, Any] | None = None) -> None:
        """Takes the options.

        Raises:
            ConfigError: an option is unknown or out of range.
        """
        super().__init__(task_args)
        self.cuts_rows = self.options.line_by_line
        self.joins_rows = not self.options.line_by_line

    @property
    def primary_metric(self) -> str:
        """Share of the masked tokens that are predicted right."""
        return "accuracy"

    def row_reader(self, train: RowSource, choice: ColumnChoice) -> RowReader:
        """One text column; see `Task.row_reader`."""
        return _TextReader(train, choice)

    def load_tokenizer(self, directory: Path) -> PreTrainedTokenizerFast:
        """The tokenizer of a model directory; pads on the right, so that positions in a row are those in its batch.

        Raises:
            ModelError: it has no mask token; see `Task.load_tokenizer` too.
        """
        tokenizer = super().load_tokenizer(directory)
        tokenizer.padding_side = "right"
        if tokenizer.mask_token_id is None:
            raise ModelError(
                "model",
                f"its tokenizer has no mask token, which {self.name} needs",
                fix="use a model that was pretrained with one, such as a BERT",
            )
        return tokenizer

    def tokenize(
        self, rows: dict[str, list], numbers: Sequence[int], tokenizer: PreTrainedTokenizerFast, max_seq_length: int
    ) -> dict[str, list]:
        """Ids of the texts, or of pieces of them, and the positions that an evaluation masks.

        Texts without a token are left out. What remains of a batch of texts behind its last full piece is a shorter
        row.
        """
        import numpy as np

        from sparse_core.tasks.masked_language_modeling.masking import masked_positions

        special = set(tokenizer.all_special_ids)
        cut = {"truncation": True, "max_length": max_seq_length} if self.options.line_by_line else {}
        encoding = tokenizer(rows[TEXT_COLUMN], verbose=False, **cut)
        columns = _with_tokens(dict(encoding), special)
        if not self.options.line_by_line:
            columns = _with_tokens({name: _pieces(lists, max_seq_length) for name, lists in columns.items()}, special)
        masked = [
            masked_positions(np.array(ids), np.array(list(special)), self.options.mlm_probability).tolist()
            for ids in columns["input_ids"]
        ]
        return {**columns, MASKED_COLUMN: masked}

    def collator(
        self, tokenizer: PreTrainedTokenizerFast, *, training: bool = False, pad_to: int | None = None
    ) -> Collator:
        """`labels` are (batch, tokens) int64, -100 where a token is not masked."""
        from sparse_core.tasks.masked_language_modeling.masking import MaskingCollator

        if training:
            return MaskingCollator.for_training(tokenizer, self.options.mlm_probability, pad_to)
        return MaskingCollator(tokenizer, self.options.mlm_probability, pad_to=pad_to)

    def predictions(
        self, outputs: Mapping[str, np.ndarray], rows: Mapping[str, list]
    ) -> list[tuple[float, np.ndarray]]:
        """Of each row: the sum of -log p of its masked tokens, and the most likely id of each."""
        import numpy as np

        predictions = []
        for logits, ids, masked in zip(outputs["logits"], rows["input_ids"], rows[MASKED_COLUMN], strict=True):
            at_masks = logits[masked].astype(np.float64)  # (masked, vocabulary)
            largest = at_masks.max(axis=-1)
            log_sums = largest + np.log(np.exp(at_masks - largest[:, None]).sum(axis=-1))
            of_truth = at_masks[np.arange(len(masked)), np.array(ids)[masked]]
            predictions.append((float((log_sums - of_truth).sum()), at_masks.argmax(axis=-1)))
        return predictions

    def score(
        self, predictions: Sequence[tuple[float, np.ndarray]], rows: Dataset, examples: Dataset
    ) -> dict[str, float]:
        """Accuracy and mean negative log likelihood of the masked tokens of all rows, and its exponential."""
        import numpy as np

        num_right = num_masked = 0
        number = 0
        for batch in rows.select_columns(["input_ids", MASKED_COLUMN]).iter(batch_size=_ROWS_PER_CHUNK):
            for ids, masked in zip(batch["input_ids"], batch[MASKED_COLUMN], strict=True):
                num_right += int((np.array(ids)[masked] == predictions[number][1]).sum())
                num_masked += len(masked)
                number += 1
        cross_entropy = math.fsum(loss for loss, _ in predictions) / num_masked
        return {
            "accuracy": num_right / num_masked,
            "cross_entropy": cross_entropy,
            "perplexity": math.exp(min(cross_entropy, _LARGEST_EXPONENT)),
        }

    def agreement(self, first: Sequence[tuple[float, np.ndarray]], second: Sequence[tuple[float, np.ndarray]]) -> float:
        """Share of the masked tokens for which both predict the same one."""
        import numpy as np

        ids, others = (np.concatenate([ids for _, ids in predictions]) for predictions in (first, second))
        return float(np.mean(ids == others))


def _with_tokens(columns: dict[str, list[list[int]]], special_ids: set[int]) -> dict[str, list[list[int]]]:
    """The rows that have a token besides special ones, column by column."""
    kept = [not special_ids.issuperset(ids) for ids in columns["input_ids"]]
    return {name: [row for row, is_kept in zip(rows, kept, strict=True) if is_kept] for name, rows in columns.items()}


def _pieces(rows: list[list[int]], size: int) -> list[list[int]]:
    joined = list(chain.from_iterable(rows))
    return [joined[start : start + size] for start in range(0, len(joined), size)]


class _TextReader(RowReader):
    """One text; a blank one, as corpora have between paragraphs, is kept empty and gives no tokens."""

    def __init__(self, train: RowSource, choice: ColumnChoice) -> None:
        """Finds the column from the first rows.

        Raises:
            DataError: there is no such column, several could be meant, or a label column is named.
        """
        if choice.label_column:
            raise DataError("label_column", "masked_language_modeling has no labels", fix="leave it out")
        rows = list(islice(train.rows(), ROWS_TO_LOOK_AT))
        self.source_columns = {TEXT_COLUMN: choice.text_column or _text_column(train, rows)}
        self._train = train
        self._num_texts = self._num_blank = 0

    def arrow_schema(self) -> pa.Schema:
        """`text`."""
        import pyarrow as pa

        return pa.schema([(TEXT_COLUMN, pa.string())])

    def read(self, row: Row, source: RowSource) -> dict[str, Any]:
        """See `RowReader.read`."""
        column = self.source_columns[TEXT_COLUMN]
        if row.number == 1:
            require_column(source, text_column(column), row)
        value = row.values.get(column)
        self._num_texts += 1
        if isinstance(value, str) and not value.strip():
            self._num_blank += 1
            return {TEXT_COLUMN: ""}
        return {TEXT_COLUMN: checked_text(source, text_column(column), row)}

    def found_options(self) -> dict[str, Any]:
        """None; says how many of the training texts are blank.

        Raises:
            DataError: all of them.
        """
        if self._num_blank == self._num_texts:
            column = self.source_columns[TEXT_COLUMN]
            raise self._train.error(
                f"all {self._num_texts} texts in column '{column}' are blank",
                fix=("give a file with text, or name another ", Setting("text_column")),
            )
        if self._num_blank:
            logger.info("train: %d of %d texts are blank and give no tokens", self._num_blank, self._num_texts)
        return {}


def _text_column(train: RowSource, rows: Sequence[Row]) -> str:
    """`text`, or the only column of text."""
    columns = list(rows[0].values)
    if TEXT_COLUMN in columns:
        return TEXT_COLUMN
    names = [name for name in columns if any(is_text(row.values.get(name)) for row in rows)]
    if len(names) == 1:
        return names[0]
    number = f"{len(names)} columns of text" if names else "no column of text"
    raise DataError(
        "text_column", f"is not given, and {train.name} has {number}", fix=f"name one of {listed(names or columns)}"
    )
