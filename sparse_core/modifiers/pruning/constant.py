"""Constant pruning: keeps the zeros that a model already has."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from sparse_core.errors import ModelError
from sparse_core.modifiers.base import Modifier, TrainingContext
from sparse_core.modifiers.pruning.masked import ActivePruning
from sparse_core.modifiers.pruning.parameters import match_parameters

if TYPE_CHECKING:
    from torch import nn


class ConstantPruningModifier(Modifier):
    """Takes each parameter's zeros at start_epoch as its mask and keeps exactly these zeros from then on."""

    description: ClassVar[str] = "keeps existing zeros"
    ineffective_fields: ClassVar[dict[str, str]] = {"update_frequency": "the mask never changes"}
    keeps_zeros: ClassVar[bool] = True

    params: str | list[str] = Field(description="Parameter names, `re:` patterns, __ALL_PRUNABLE__ or __ALL__.")
    update_frequency: float = Field(-1.0, ge=-1.0, description="Read for compatibility; no effect.")

    def matched_parameters(self, model: nn.Module) -> list[str]:
        """Names of the parameters whose zeros are kept."""
        return list(match_parameters(model, self.params))

    def require_fit(self, model: nn.Module) -> None:
        """Refuses a model without zeros where the modifier starts at once.

        Raises:
            RecipeError: `params` matches nothing.
            ModelError: the model has no zeros to keep.
        """
        parameters = match_parameters(model, self.params)
        if self.begins_at == 0 and all(bool(weight.all()) for weight in parameters.values()):
            raise ModelError(
                "model",
                f"none of the {len(parameters)} parameters that {type(self).__name__} matches has a zero, so nothing "
                "would be sparse",
                fix="start from a sparse checkpoint, or prune this model first (with the step prune or the pipeline "
                "sparsify)",
            )

    def activate(self, training: TrainingContext) -> ActiveConstantPruning:
        """Run state for one training."""
        return ActiveConstantPruning(self, training)


class ActiveConstantPruning(ActivePruning):
    """Takes the masks once, from the zeros of the weights."""

    def __init__(self, modifier: ConstantPruningModifier, training: TrainingContext) -> None:
        """Matches the parameters; the masks are taken when the modifier starts."""
        super().__init__(modifier.params, training)
        self._modifier = modifier

    def before_step(self, epoch: float) -> None:
        """Takes the masks at the modifier's first step, and drops them after its last."""
        if not self._modifier.is_active(epoch):
            self.drop_masks()
        elif not self.has_masks:
            self.set_masks({name: weight.detach() != 0 for name, weight in self.parameters.items()})
