"""Masks from scores, and masks on weights. Mask: bool, same shape as the weight, True = kept."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor


def keep_top(scores: Tensor, sparsity: float) -> Tensor:
    """Boolean mask, same shape as scores; True on the entries of highest score.

    Exactly `round(sparsity * scores.numel())` entries are False; among equal scores those with the lower flat index
    are dropped first, so that the result does not depend on the device.

    Args:
        scores: any shape, any float dtype.
        sparsity: fraction of entries to drop, 0 to 1.
    """
    num_dropped = round(sparsity * scores.numel())
    mask = torch.ones(scores.numel(), dtype=torch.bool, device=scores.device)
    if num_dropped:
        flat = scores.detach().flatten().float()
        threshold = _kth_smallest(flat, num_dropped)
        mask = flat > threshold
        tied = (flat == threshold).nonzero().flatten()
        num_tied_dropped = num_dropped - int((flat < threshold).sum())
        mask[tied[num_tied_dropped:]] = True
    return mask.view(scores.shape)


def _kth_smallest(flat: Tensor, k: int) -> Tensor:
    if flat.device.type != "cpu":
        return flat.kthvalue(k).values
    # numpy selects in place of sorting pairs, several times faster than kthvalue on a CPU
    return torch.from_numpy(np.partition(flat.numpy(), k - 1)[k - 1 : k])[0]


def keep_top_global(scores: Sequence[Tensor], sparsity: float) -> list[Tensor]:
    """Masks, one for each tensor of scores, from one threshold over all of them together; see `keep_top`."""
    joined = keep_top(torch.cat([score.detach().flatten().float() for score in scores]), sparsity)
    return [
        part.view(score.shape) for part, score in zip(joined.split([s.numel() for s in scores]), scores, strict=True)
    ]


class MaskedWeights:
    """Weights and their masks, applied together by foreach kernels after every optimizer step.

    The masks are kept as 0/1 in the dtype of their weight, because a product of equal dtypes is the only elementwise
    operation that torch fuses over a list.
    """

    def __init__(self, weights: dict[str, torch.nn.Parameter]) -> None:
        """Starts with masks that keep everything.

        Args:
            weights: parameter name -> parameter; the parameters themselves are changed by `apply`.
        """
        self.weights = weights
        self._factors = {name: torch.ones_like(weight, requires_grad=False) for name, weight in weights.items()}

    def set_masks(self, masks: dict[str, Tensor]) -> None:
        """Replaces the masks (bool, shape of the weight) of the named weights and applies them at once."""
        for name, mask in masks.items():
            self._factors[name] = mask.to(self.weights[name])
        self.apply()

    def masks(self) -> dict[str, Tensor]:
        """The masks: parameter name -> bool tensor of the weight's shape."""
        return {name: factor.bool() for name, factor in self._factors.items()}

    @torch.no_grad()
    def apply(self) -> None:
        """Sets every masked entry of every weight to exactly zero, in place."""
        torch._foreach_mul_(list(self.weights.values()), list(self._factors.values()))
