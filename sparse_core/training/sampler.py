"""The order of the rows in an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import Sampler

_BATCHES_PER_POOL = 50


class LengthGroupedSampler(Sampler[int]):
    """Shuffles the rows so that each batch has rows of similar length.

    Rows are shuffled, cut into pools of 50 batches, sorted by length inside each pool, and the batches are shuffled.
    The batch that holds the longest row comes first, so that a batch too large for the memory fails at once. The order
    is a pure function of seed and epoch: a run that resumes in the middle of an epoch sees the rows it would have seen.
    """

    def __init__(self, lengths: Sequence[int] | np.ndarray, batch_size: int, seed: int) -> None:
        """Orders `len(lengths)` rows.

        Args:
            lengths: number of tokens of each row; kept as an array, 4 bytes a row.
            batch_size: rows for one optimizer step.
            seed: with the epoch, decides the order.
        """
        self._lengths = np.asarray(lengths, dtype=np.int32)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Sets the epoch whose order the next iteration yields."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        """Row numbers in this epoch's order."""
        generator = torch.Generator().manual_seed((self._seed << 20) + self._epoch)
        order = torch.randperm(len(self._lengths), generator=generator).numpy()
        pool = self._batch_size * _BATCHES_PER_POOL
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows[:] = rows[np.argsort(-self._lengths[rows], kind="stable")]
        # a batch that is not full must stay last, because the loader cuts batches by count
        num_batches = len(order) // self._batch_size
        batches = order[: num_batches * self._batch_size].reshape(num_batches, self._batch_size)
        batches = batches[torch.randperm(num_batches, generator=generator).numpy()]
        if num_batches:
            longest = self._lengths[batches[:, 0]].argmax()
            batches[[0, longest]] = batches[[longest, 0]]
        for batch in (*batches, order[num_batches * self._batch_size :]):
            yield from batch.tolist()
