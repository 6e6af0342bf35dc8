"""Keeps the zeros that a model already has."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from sparse_core.modifiers.base import ActiveModifier, Modifier, TrainingContext
from sparse_core.modifiers.pruning.parameters import match_parameters

if TYPE_CHECKING:
    from torch import nn


class ConstantPruningModifier(Modifier):
    """Takes each parameter's zeros at start_epoch as its mask and keeps exactly these zeros from then on."""

    description: ClassVar[str] = "keeps existing zeros"
    ineffective_fields: ClassVar[dict[str, str]] = {"update_frequency": "the mask never changes"}

    params: str | list[str] = Field(description="Parameter names, `re:` patterns, __ALL_PRUNABLE__ or __ALL__.")
    update_frequency: float = Field(-1.0, ge=-1.0, description="Read for compatibility; no effect.")

    def matched_parameters(self, model: nn.Module) -> list[str]:
        """Names of the parameters whose zeros are kept."""
        return list(match_parameters(model, self.params))

    def activate(self, training: TrainingContext) -> ActiveModifier:
        """Run state for one training."""
        from sparse_core.modifiers.pruning.active import ActiveConstantPruning

        return ActiveConstantPruning(self, training)
