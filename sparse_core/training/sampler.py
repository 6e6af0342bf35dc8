"""The order of the rows in an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

_BATCHES_PER_POOL = 50


class LengthGroupedSampler(Sampler[int]):
    """Shuffles the rows so that each batch holds rows of like length.

    Rows are shuffled, cut into pools of 50 batches, sorted by length inside each pool, and the batches are shuffled.
    The batch that holds the longest row comes first, so that a batch too large for the memory fails at once. The order
    is a pure function of seed and epoch: a run that resumes in the middle of an epoch sees the rows it would have seen.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """Orders `len(lengths)` rows.

        Args:
            lengths: number of tokens of each row.
            batch_size: rows for one optimizer step.
            seed: with the epoch, decides the order.
        """
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Chooses the epoch whose order the next iteration gives."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        """Row numbers in this epoch's order."""
        generator = torch.Generator().manual_seed((self._seed << 20) + self._epoch)
        order = torch.randperm(len(self._lengths), generator=generator).tolist()
        pool = self._batch_size * _BATCHES_PER_POOL
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            rows = sorted(order[start : start + pool], key=lambda row: -self._lengths[row])
            batches += [rows[i : i + self._batch_size] for i in range(0, len(rows), self._batch_size)]
        # a batch that is not full must stay last, because the loader cuts batches by count
        last = [batches.pop()] if batches and len(batches[-1]) < self._batch_size else []
        shuffled = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
        longest = max(range(len(shuffled)), key=lambda i: self._lengths[shuffled[i][0]], default=0)
        if shuffled:
            shuffled[0], shuffled[longest] = shuffled[longest], shuffled[0]
        yield from (row for batch in shuffled + last for row in batch)
