"""Masked weights in one training: what every pruning method shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sparse_core.modifiers.base import ActiveModifier, TrainingContext
from sparse_core.modifiers.pruning.parameters import match_parameters

if TYPE_CHECKING:
    from torch import Tensor

    from sparse_core.modifiers.pruning.masks import MaskedWeights

_MASK_PREFIX = "mask."


class ActivePruning(ActiveModifier):
    """Keeps masked weights zero through every optimizer step; a subclass decides when and which masks are set."""

    def __init__(self, params: str | list[str], training: TrainingContext) -> None:
        """Matches the parameters; there are no masks yet.

        Raises:
            RecipeError: `params` matches nothing.
        """
        self.parameters = match_parameters(training.model, params)
        self._masked: MaskedWeights | None = None

    @property
    def has_masks(self) -> bool:
        """Whether masks are set."""
        return self._masked is not None

    def set_masks(self, masks: Mapping[str, Tensor]) -> None:
        """Sets masks and zeroes the weights that they drop.

        Args:
            masks: parameter name -> bool, shape of the parameter, True where the weight is kept.
        """
        from sparse_core.modifiers.pruning.masks import MaskedWeights

        if self._masked is None:
            self._masked = MaskedWeights(self.parameters)
        self._masked.set_masks(dict(masks))

    def drop_masks(self) -> None:
        """Lets all weights train freely again."""
        self._masked = None

    def after_step(self, epoch: float) -> None:
        """Zeroes again what the optimizer has moved."""
        if self._masked is not None:
            self._masked.apply()

    def state(self) -> dict[str, Tensor]:
        """The masks, bool."""
        if self._masked is None:
            return {}
        return {_MASK_PREFIX + name: mask for name, mask in self._masked.masks().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Sets the masks of a checkpoint."""
        masks = {k.removeprefix(_MASK_PREFIX): mask for k, mask in state.items() if k.startswith(_MASK_PREFIX)}
        if masks:
            self.set_masks(masks)
