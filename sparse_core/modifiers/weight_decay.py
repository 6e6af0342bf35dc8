"""Weight decay set by the recipe."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from sparse_core.modifiers.base import Modifier


class SetWeightDecayModifier(Modifier):
    """Sets the weight decay of the parameters that decay; biases and normalization weights keep none."""

    description: ClassVar[str] = "weight decay"
    ineffective_fields: ClassVar[dict[str, str]] = {"constant_logging": "the trainer logs what it needs itself"}
    sparseml_defaults: ClassVar[dict[str, Any]] = {"param_groups": None}

    weight_decay: float = Field(ge=0.0, description="Decoupled weight decay of the optimizer.")
    constant_logging: bool = Field(False, description="Read for compatibility; no effect.")

    def weight_decay_at(self, epoch: float) -> float | None:
        """The value, from start_epoch to end_epoch."""
        return self.weight_decay if self.is_active(epoch) else None
