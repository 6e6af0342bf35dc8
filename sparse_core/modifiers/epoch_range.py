"""How many epochs the recipe lasts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from sparse_core.modifiers.base import Modifier


class EpochRangeModifier(Modifier):
    """States the first and last epoch of a training; the recipe's length is the largest end_epoch in it."""

    description: ClassVar[str] = "length of the training"

    start_epoch: float = Field(ge=-1.0, description="First epoch, normally 0.")
    end_epoch: float = Field(gt=0.0, description="Number of epochs to train.")

    def ineffective_settings(self, num_epochs: float) -> Iterator[tuple[str, str]]:
        """A start after 0, and an end before that of another modifier."""
        if self.begins_at > 0.0:
            yield "start_epoch", "training starts at epoch 0"
        if self.end_epoch < num_epochs:
            yield "end_epoch", f"another modifier ends later, at epoch {num_epochs:g}"
