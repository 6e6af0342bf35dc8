"""Learning-rate schedules: pure functions of the epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from sparse_core.errors import RecipeError
from sparse_core.modifiers.base import Modifier


class SetLearningRateModifier(Modifier):
    """Holds the learning rate at one value from start_epoch until end_epoch or a later learning-rate modifier."""

    description: ClassVar[str] = "constant learning rate"
    ineffective_fields: ClassVar[dict[str, str]] = {"constant_logging": "the trainer logs the learning rate itself"}
    sparseml_defaults: ClassVar[dict[str, Any]] = {"param_groups": None}

    learning_rate: float = Field(ge=0.0, le=1.0, description="The learning rate.")
    constant_logging: bool = Field(False, description="Read for compatibility; no effect.")

    def learning_rate_at(self, epoch: float) -> float | None:
        """The constant, from start_epoch on."""
        return self.learning_rate if self.is_active(epoch) else None


class LearningRateFunctionModifier(Modifier):
    """Moves the learning rate from init_lr to final_lr between start_epoch and end_epoch."""

    description: ClassVar[str] = "learning-rate curve"
    sparseml_defaults: ClassVar[dict[str, Any]] = {"param_groups": None, "update_frequency": -1.0}

    lr_func: Literal["linear", "cosine", "cyclic_linear"] = Field(description="Shape of the curve.")
    init_lr: float = Field(ge=0.0, le=1.0, description="Learning rate at start_epoch.")
    final_lr: float = Field(ge=0.0, le=1.0, description="Learning rate at end_epoch, and after it.")
    start_epoch: float = Field(ge=-1.0, description="Epoch at which the learning rate is init_lr.")
    end_epoch: float = Field(ge=0.0, description="Epoch at which final_lr is reached.")
    cycle_epochs: float = Field(1.0, gt=0.0, description="Length of one cycle, for cyclic_linear.")

    @model_validator(mode="after")
    def _has_a_length(self) -> LearningRateFunctionModifier:
        if self.end_epoch <= self.begins_at:
            raise RecipeError(
                "end_epoch", accepted=f"an epoch after start_epoch ({self.begins_at:g})", got=self.end_epoch
            )
        return self

    def ineffective_settings(self, num_epochs: float) -> Iterator[tuple[str, str]]:
        """The length of a cycle for a curve without cycles, and what every modifier reports."""
        if "cycle_epochs" in self.model_fields_set and self.lr_func != "cyclic_linear":
            yield "cycle_epochs", f"lr_func is {self.lr_func}, only cyclic_linear has cycles"
        yield from super().ineffective_settings(num_epochs)

    def learning_rate_at(self, epoch: float) -> float | None:
        """Value of the curve at `epoch`; final_lr after the end, None before the start.

        linear: init + t (final - init), with t the elapsed fraction. cosine: final + (init - final)(1 + cos(pi t))/2
        (Loshchilov and Hutter 2017, eq. 5). cyclic_linear: the linear curve over each cycle of cycle_epochs.
        """
        if epoch < self.begins_at:
            return None
        if epoch >= self.end_epoch:
            return self.final_lr
        elapsed, length = epoch - self.begins_at, self.end_epoch - self.begins_at
        if self.lr_func == "cyclic_linear":
            elapsed, length = elapsed % self.cycle_epochs, self.cycle_epochs
        fraction = elapsed / length
        if self.lr_func == "cosine":
            return self.final_lr + (self.init_lr - self.final_lr) * (1.0 + math.cos(math.pi * fraction)) / 2.0
        return self.init_lr + fraction * (self.final_lr - self.init_lr)
