"""Which tokens of a row are masked, and by what: a pure function of the row's ids.

The same row has the same masks in every batch, engine and worker process, and after a resumption; training adds the
seed and the epoch, so that a row is masked anew in each.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparse_core.tasks.collate import IGNORE_INDEX, PaddingCollator

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

MASK_SHARE = 0.8
"""Of the chosen tokens, those that become the mask token (Devlin et al. 2019, sec. 3.1)."""
RANDOM_SHARE = 0.1
"""Of the chosen tokens, those that become any token; the rest stays as it is."""
_EVALUATION = "evaluation"


def masked_positions(ids: np.ndarray, special_ids: np.ndarray, probability: float) -> np.ndarray:
    """Positions of a row that an evaluation masks, ascending, int64; see `mask_row`."""
    import numpy as np

    return np.flatnonzero(_chosen(ids, special_ids, probability, _uniforms(ids, _EVALUATION)[0]))


def mask_row(
    ids: np.ndarray, special_ids: np.ndarray, probability: float, stream: str, mask_id: int, vocab_size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Ids with some masked, and labels with the original ids of these.

    Args:
        ids: (tokens,) int.
        special_ids: ids that are never masked.
        probability: share of the other tokens to choose, above 0 and below 1; one at least is chosen where there is
            one.
        stream: another text gives other masks.
        mask_id: of the mask token.
        vocab_size: random tokens are below it.

    Returns:
        Ids and labels, (tokens,) int64; the label of a token that was not chosen is -100.
    """
    import numpy as np

    choice, action, token = _uniforms(ids, stream)
    chosen = _chosen(ids, special_ids, probability, choice)
    masked = np.where(action < MASK_SHARE, mask_id, ids)
    is_random = (action >= MASK_SHARE) & (action < MASK_SHARE + RANDOM_SHARE)
    masked = np.where(is_random, (token * vocab_size).astype(np.int64), masked)
    return np.where(chosen, masked, ids), np.where(chosen, ids, IGNORE_INDEX)


def _chosen(ids: np.ndarray, special_ids: np.ndarray, probability: float, uniforms: np.ndarray) -> np.ndarray:
    """The tokens to mask, bool (tokens,)."""
    import numpy as np

    ordered = np.where(np.isin(ids, special_ids), np.inf, uniforms)
    return (ordered < probability) | ((ordered == ordered.min()) & np.isfinite(ordered))


def _uniforms(ids: np.ndarray, stream: str) -> np.ndarray:
    """Numbers in [0, 1) that follow from the ids and the stream, float64 (3, tokens).

    SplitMix64 (Steele, Lea and Flood 2014) from a hash: no library's random numbers, which may change between versions.
    """
    import numpy as np

    seed = hashlib.blake2b(ids.astype("<i8").tobytes() + stream.encode(), digest_size=8).digest()
    x = np.arange(1, 3 * len(ids) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x += np.frombuffer(seed, dtype="<u8")
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return ((x >> np.uint64(11)) * 2.0**-53).reshape(3, -1)


@dataclass(frozen=True)
class MaskingCollator:
    """Masks and pads rows.

    Attributes:
        tokenizer: says which ids are special, and pads.
        probability: share of the tokens to mask.
        epoch: seed and epoch of a training, int64 (2,), in memory that the loader's workers share; None masks as
            evaluations do.
        pad_to: tokens to pad to; None: those of the longest row.
    """

    tokenizer: PreTrainedTokenizerFast
    probability: float
    epoch: Tensor | None = None
    pad_to: int | None = None

    @classmethod
    def for_training(
        cls, tokenizer: PreTrainedTokenizerFast, probability: float, pad_to: int | None = None
    ) -> MaskingCollator:
        """One that masks a row anew in every epoch; `set_epoch` chooses it."""
        import torch

        return cls(tokenizer, probability, torch.zeros(2, dtype=torch.int64).share_memory_(), pad_to)

    def set_epoch(self, epoch: int, seed: int) -> None:
        """Chooses the masks of a training epoch."""
        import torch

        assert self.epoch is not None, "the masks of an evaluation do not change"
        self.epoch.copy_(torch.tensor([seed, epoch]))

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        """The batch: inputs and `labels`, int64 (batch, tokens); -100 at tokens that are not to be predicted."""
        import numpy as np

        stream = _EVALUATION if self.epoch is None else ":".join(str(number) for number in self.epoch.tolist())
        special_ids = np.array(self.tokenizer.all_special_ids)
        masked = []
        for row in rows:
            ids, labels = mask_row(
                np.array(row["input_ids"]),
                special_ids,
                self.probability,
                stream,
                self.tokenizer.mask_token_id,
                len(self.tokenizer),
            )
            masked.append({**row, "input_ids": ids, "labels": labels})
        return PaddingCollator(self.tokenizer, per_token={"labels": IGNORE_INDEX}, pad_to=self.pad_to)(masked)
