"""Gradual magnitude pruning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from sparse_core.modifiers.base import UNSET_EPOCH, Modifier, Segment, TrainingContext
from sparse_core.modifiers.pruning.masked import ActivePruning
from sparse_core.modifiers.pruning.parameters import match_parameters
from sparse_core.modifiers.pruning.sparsity import interpolate

if TYPE_CHECKING:
    from torch import Tensor, nn

_INITIAL_PREFIX = "init_sparsity."
_EPOCH_TOLERANCE = 1e-9  # epochs are step / steps_per_epoch, so multiples of update_frequency are met only nearly


class GMPruningModifier(Modifier):
    """Raises sparsity from init_sparsity to final_sparsity, dropping the weights of least magnitude.

    Source: Zhu and Gupta 2017, eq. 1 (the cubic curve).
    """

    description: ClassVar[str] = "gradual magnitude pruning"
    sparseml_defaults: ClassVar[dict[str, Any]] = {"phased": False, "score_type": "magnitude"}
    makes_zeros: ClassVar[bool] = True
    keeps_zeros: ClassVar[bool] = True

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

    @property
    def finished_at(self) -> float:
        """The epoch at which final_sparsity is reached."""
        return self.end_epoch

    def segments(self, num_epochs: float) -> Sequence[Segment]:
        """The epochs in which sparsity rises, and those in which the mask is kept."""
        if not self.leave_enabled:
            return super().segments(num_epochs)
        return [
            Segment(self.begins_at, self.end_epoch, "prune"),
            Segment(self.end_epoch, num_epochs, "hold the zeros", holds=True),
        ]

    def _acts_without_length(self) -> bool:
        """True: it prunes once."""
        return True

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

    def activate(self, training: TrainingContext) -> ActiveMagnitudePruning:
        """Run state for one training."""
        return ActiveMagnitudePruning(self, training)


class MagnitudePruningModifier(GMPruningModifier):
    """GMPruningModifier under its older name."""


class GlobalMagnitudePruningModifier(GMPruningModifier):
    """GMPruningModifier with one threshold over all matched parameters."""

    description: ClassVar[str] = "gradual magnitude pruning, one threshold for all"

    global_sparsity: bool = Field(True, description="One threshold over all params instead of one for each.")


class ActiveMagnitudePruning(ActivePruning):
    """Makes new masks from the magnitudes each time that an update is due."""

    def __init__(self, modifier: GMPruningModifier, training: TrainingContext) -> None:
        """Matches the parameters; the first mask is made when the modifier starts."""
        super().__init__(modifier.params, training)
        self._modifier = modifier
        self._epochs_per_step = 1.0 / training.steps_per_epoch
        self._initial: dict[str, float] = {}

    def before_step(self, epoch: float) -> None:
        """Makes new masks when an update is due at `epoch`."""
        modifier = self._modifier
        if not modifier.leave_enabled and modifier.end_epoch != UNSET_EPOCH and epoch >= modifier.end_epoch:
            self.drop_masks()
        elif modifier.is_update_due(epoch, epoch - self._epochs_per_step):
            self._initial = self._initial or self._initial_sparsities()
            self.set_masks(self._new_masks(epoch))

    def _initial_sparsities(self) -> dict[str, float]:
        if isinstance(self._modifier.init_sparsity, float):
            return dict.fromkeys(self.parameters, self._modifier.init_sparsity)
        return {name: float((weight == 0).float().mean()) for name, weight in self.parameters.items()}

    def _new_masks(self, epoch: float) -> dict[str, Tensor]:
        from sparse_core.modifiers.pruning.masks import keep_top, keep_top_global

        scores = {name: weight.detach().abs() for name, weight in self.parameters.items()}
        targets = {name: self._modifier.sparsity_at(epoch, initial) for name, initial in self._initial.items()}
        if self._modifier.global_sparsity:
            total = sum(score.numel() for score in scores.values())
            target = sum(targets[name] * score.numel() for name, score in scores.items()) / total
            return dict(zip(scores, keep_top_global(list(scores.values()), target), strict=True))
        return {name: keep_top(score, targets[name]) for name, score in scores.items()}

    def state(self) -> dict[str, Tensor]:
        """The masks, and the sparsity from which each parameter started."""
        import torch

        initial = {_INITIAL_PREFIX + name: torch.tensor(v, dtype=torch.float64) for name, v in self._initial.items()}
        return {**super().state(), **initial}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes back what `state` gave."""
        super().load_state(state)
        self._initial = {
            key.removeprefix(_INITIAL_PREFIX): float(value)
            for key, value in state.items()
            if key.startswith(_INITIAL_PREFIX)
        }
