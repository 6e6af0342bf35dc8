"""How many epochs the recipe lasts."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sparse_core.modifiers.base import Modifier


class EpochRangeModifier(Modifier):
    """States the first and last epoch of a training; the recipe's length is the largest end_epoch in it."""

    description: ClassVar[str] = "length of the training"

    start_epoch: float = Field(ge=-1.0, description="First epoch, normally 0.")
    end_epoch: float = Field(gt=0.0, description="Number of epochs to train.")
