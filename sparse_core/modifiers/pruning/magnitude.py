"""Gradual magnitude pruning."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from sparse_core.modifiers.base import ActiveModifier, Modifier, TrainingContext
from sparse_core.modifiers.pruning.parameters import match_parameters
from sparse_core.modifiers.pruning.sparsity import interpolate

if TYPE_CHECKING:
    from torch import nn

FROM_PARAMETER: Literal["__FROM_PARAM__"] = "__FROM_PARAM__"
_EPOCH_TOLERANCE = 1e-9  # epochs are step / steps_per_epoch, so multiples of update_frequency are met only nearly


class GMPruningModifier(Modifier):
    """Raises sparsity from init_sparsity to final_sparsity, dropping the weights of least magnitude.

    Source: Zhu and Gupta 2017, eq. 1 (the cubic curve).
    """

    description: ClassVar[str] = "gradual magnitude pruning"

    init_sparsity: Annotated[float, Field(ge=0.0, lt=1.0)] | Literal["__FROM_PARAM__"] = Field(
        description="Sparsity (0 to 1) at start_epoch; __FROM_PARAM__: what each parameter has then."
    )
    final_sparsity: float = Field(ge=0.0, lt=1.0, description="Sparsity (0 to 1) from end_epoch on.")
    start_epoch: float = Field(ge=-1.0, description="Epoch of the first mask.")
    end_epoch: float = Field(ge=0.0, description="Epoch at which final_sparsity is reached.")
    update_frequency: float = Field(-1.0, ge=-1.0, description="Epochs between new masks; -1: every step.")
    params: str | list[str] = Field(description="Parameter names, `re:` patterns, __ALL_PRUNABLE__ or __ALL__.")
    leave_enabled: bool = Field(True, description="Keep the mask after end_epoch.")
    inter_func: Literal["linear", "cubic", "inverse_cubic"] = Field("cubic", description="Shape of the sparsity curve.")
    global_sparsity: bool = Field(False, description="One threshold over all params instead of one for each.")
    mask_type: Literal["unstructured"] = Field("unstructured", description="Shape of what is removed.")

    def sparsity_at(self, epoch: float, initial: float) -> float:
        """Target sparsity (0 to 1) at `epoch`, on the way from `initial` to final_sparsity."""
        length = self.end_epoch - self.begins_at
        fraction = (epoch - self.begins_at) / length if length > 0 else 1.0
        return interpolate(fraction, initial, self.final_sparsity, self.inter_func)

    def is_update_due(self, epoch: float, previous_epoch: float) -> bool:
        """Whether a new mask belongs to the step at `epoch`, when the step before it was at `previous_epoch`.

        A pure function of the two, so that a resumed run makes the same masks as one that was never stopped.
        """
        if epoch < self.begins_at or previous_epoch >= self.end_epoch:
            return False
        if previous_epoch < self.begins_at or epoch >= self.end_epoch or self.update_frequency <= 0:
            return True
        return self._num_updates(epoch) > self._num_updates(previous_epoch)

    def _num_updates(self, epoch: float) -> int:
        return math.floor((epoch - self.begins_at) / self.update_frequency + _EPOCH_TOLERANCE)

    def matched_parameters(self, model: nn.Module) -> list[str]:
        """Names of the parameters that are pruned."""
        return list(match_parameters(model, self.params))

    def activate(self, training: TrainingContext) -> ActiveModifier:
        """Run state for one training."""
        from sparse_core.modifiers.pruning.active import ActiveMagnitudePruning

        return ActiveMagnitudePruning(self, training)


class MagnitudePruningModifier(GMPruningModifier):
    """GMPruningModifier under its older name."""


class GlobalMagnitudePruningModifier(GMPruningModifier):
    """GMPruningModifier with one threshold over all matched parameters."""

    description: ClassVar[str] = "gradual magnitude pruning, one threshold for all"

    global_sparsity: bool = Field(True, description="One threshold over all params instead of one for each.")
