"""What a model predicts for the rows of a split, on its way to a file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.store import publishing_file

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast


@dataclass(frozen=True)
class Predicted:
    """The predictions for a split.

    Attributes:
        predictions: the task's, one for each of `rows`.
        rows: tokenized rows.
        examples: the split before tokenization.
        schema: of the data.
        tokenizer: of the rows.
    """

    predictions: Sequence[Any]
    rows: Dataset
    examples: Dataset
    schema: DatasetSchema
    tokenizer: PreTrainedTokenizerFast


def write_lines(path: Path, lines: Iterable[str]) -> Path:
    """Writes a text file of these lines, whole or not at all; returns its path."""
    with publishing_file(path) as partial, partial.open("w", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" for line in lines)
    return path
