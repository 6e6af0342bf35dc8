"""What every modifier is: frozen settings read from a recipe, and a run state made from them for one training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from torch import Tensor, nn

UNSET_EPOCH = -1.0
"""Epoch value that means "from the start" for start_epoch and "never ends" for end_epoch, as in SparseML."""


class Modifier(BaseModel):
    """Settings of one `- !NameModifier` item of a recipe; the class name is the recipe key."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    description: ClassVar[str] = ""
    """One line for `sparse-core recipe show` and the recipe reference."""
    ineffective_fields: ClassVar[dict[str, str]] = {}
    """Fields that are read for compatibility and change nothing, with the reason; the loader reports those set."""

    start_epoch: float = Field(UNSET_EPOCH, ge=-1.0, description="Epoch at which the modifier begins; -1: at once.")
    end_epoch: float = Field(UNSET_EPOCH, ge=-1.0, description="Epoch at which the modifier ends; -1: never.")

    @model_validator(mode="after")
    def _ends_after_start(self) -> Modifier:
        if self.end_epoch != UNSET_EPOCH and self.end_epoch < max(self.start_epoch, 0.0):
            raise ValueError(
                f"end_epoch: expected start_epoch ({self.start_epoch:g}) or later, or -1 for never, "
                f"got {self.end_epoch:g}"
            )
        return self

    @property
    def begins_at(self) -> float:
        """First epoch in which the modifier acts; 0 when start_epoch is unset."""
        return max(self.start_epoch, 0.0)

    def is_active(self, epoch: float) -> bool:
        """Whether `epoch` (fractional, counted from 0) lies in [start_epoch, end_epoch)."""
        return epoch >= self.begins_at and (self.end_epoch == UNSET_EPOCH or epoch < self.end_epoch)

    def learning_rate_at(self, epoch: float) -> float | None:
        """Learning rate that this modifier puts in force at `epoch`, or None when it sets none there."""
        return None

    def activate(self, training: TrainingContext) -> ActiveModifier | None:
        """Run state for one training, or None for a modifier that only describes the schedule.

        Raises:
            RecipeError: the settings match nothing in the model.
        """
        return None

    def matched_parameters(self, model: nn.Module) -> list[str] | None:
        """Names of the parameters that the modifier would touch in `model`; None when it touches no parameter.

        Raises:
            RecipeError: a pattern or a submodule matches nothing.
        """
        return None


@dataclass(frozen=True)
class TrainingContext:
    """What a modifier may see of the training that it acts on."""

    model: nn.Module
    steps_per_epoch: int


class ActiveModifier:
    """Run state of one modifier in one training; the trainer calls it around every optimizer step."""

    def before_step(self, epoch: float) -> None:
        """Called before the forward pass of the optimizer step that begins at `epoch`."""

    def after_step(self) -> None:
        """Called after the optimizer has changed the weights."""

    def restore_structure(self, epoch: float) -> None:
        """Called on resume, before weights are loaded: gives the model the modules of the checkpoint.

        Args:
            epoch: epoch of the step that comes next; the checkpoint was written before that step began.
        """

    def state(self) -> dict[str, Tensor]:
        """Tensors that a checkpoint must keep for an exact resume, by name."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes back what `state` gave."""
