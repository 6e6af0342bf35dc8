"""From tokenized rows to a padded batch of tensors, for every task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

IGNORE_INDEX = -100
"""Label of tokens that neither the loss nor a score reads; PyTorch's `ignore_index`."""


@dataclass(frozen=True)
class PaddingCollator:
    """Pads the rows of a batch to the longest, or to a fixed length; columns that are not named here are dropped.

    Attributes:
        tokenizer: names the inputs and says how they are padded; int64 (batch, tokens).
        per_token: label columns with one value for each token -> the value for padding; int64 (batch, tokens).
        per_row: label columns with one number, or lists of one size, for each row; int64 or float32, by the values.
        pad_to: tokens to pad to; None: those of the longest row.
    """

    tokenizer: PreTrainedTokenizerFast
    per_token: Mapping[str, int] = field(default_factory=dict)
    per_row: Sequence[str] = ()
    pad_to: int | None = None

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        """The batch; columns that the rows do not have are left out."""
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        length = self.pad_to or max(len(ids) for ids in columns["input_ids"])
        paddings = {**self._input_paddings(), **self.per_token}
        batch = {
            name: self._padded(columns[name], length, padding) for name, padding in paddings.items() if name in columns
        }
        batch |= {name: _stacked(columns[name]) for name in self.per_row if name in columns}
        return batch

    def _input_paddings(self) -> dict[str, int]:
        special = {"input_ids": self.tokenizer.pad_token_id, "token_type_ids": self.tokenizer.pad_token_type_id}
        return {name: special.get(name, 0) for name in self.tokenizer.model_input_names}

    def _padded(self, rows: Sequence[list[int]], length: int, padding: int) -> Tensor:
        """(rows, length), int64; the padding is on the side where the tokenizer wants it."""
        import torch

        values = [torch.as_tensor(row, dtype=torch.int64) for row in rows]
        padded = torch.full((len(values), length), padding)
        for target, value in zip(padded, values, strict=True):
            start = length - len(value) if self.tokenizer.padding_side == "left" else 0
            target[start : start + len(value)] = value
        return padded


def _stacked(values: list) -> Tensor:
    """(rows,) or (rows, size)."""
    import torch

    stacked = torch.as_tensor(values)
    return stacked.float() if stacked.is_floating_point() else stacked.to(torch.int64)
