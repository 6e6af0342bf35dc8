"""Pruning in one training: when masks are made, and that they hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sparse_core.errors import ModelError
from sparse_core.modifiers.base import UNSET_EPOCH, ActiveModifier, TrainingContext
from sparse_core.modifiers.pruning.masks import MaskedWeights, keep_top, keep_top_global
from sparse_core.modifiers.pruning.parameters import match_parameters

if TYPE_CHECKING:
    from sparse_core.modifiers.pruning.constant import ConstantPruningModifier
    from sparse_core.modifiers.pruning.magnitude import GMPruningModifier

_MASK_PREFIX = "mask."
_INITIAL_PREFIX = "init_sparsity."


class ActivePruning(ActiveModifier):
    """Masked weights that stay masked through every optimizer step."""

    def __init__(self, params: str | list[str], training: TrainingContext) -> None:
        """Matches the parameters; masks come later.

        Raises:
            RecipeError: `params` matches nothing.
        """
        self._parameters = match_parameters(training.model, params)
        self._masked: MaskedWeights | None = None

    def _set_masks(self, masks: dict[str, Tensor]) -> None:
        if self._masked is None:
            self._masked = MaskedWeights(self._parameters)
        self._masked.set_masks(masks)

    def after_step(self) -> None:
        """Puts back the zeros that the optimizer has moved."""
        if self._masked is not None:
            self._masked.apply()

    def state(self) -> dict[str, Tensor]:
        """The masks in force, bool."""
        if self._masked is None:
            return {}
        return {_MASK_PREFIX + name: mask for name, mask in self._masked.masks().items()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes the masks of a checkpoint."""
        masks = {k.removeprefix(_MASK_PREFIX): mask for k, mask in state.items() if k.startswith(_MASK_PREFIX)}
        if masks:
            self._set_masks(masks)


class ActiveConstantPruning(ActivePruning):
    """Masks taken once, from the zeros of the weights."""

    def __init__(self, settings: ConstantPruningModifier, training: TrainingContext) -> None:
        """Matches the parameters; the masks are taken when the modifier begins.

        Raises:
            ModelError: the modifier begins at once and the model has no zeros to keep.
        """
        super().__init__(settings.params, training)
        self._settings = settings
        if settings.begins_at == 0 and all(bool(weight.all()) for weight in self._parameters.values()):
            raise ModelError(
                f"model: none of the {len(self._parameters)} parameters that ConstantPruningModifier matches has a "
                "zero, so nothing would be sparse; start from a sparse checkpoint, or prune this model first (with the "
                "step prune or the pipeline sparsify)"
            )

    def before_step(self, epoch: float) -> None:
        """Takes the masks at the first step of the modifier's epochs, and lets go of them after its last."""
        if not self._settings.is_active(epoch):
            self._masked = None
        elif self._masked is None:
            self._set_masks({name: weight.detach() != 0 for name, weight in self._parameters.items()})


class ActiveMagnitudePruning(ActivePruning):
    """Masks made anew, from the magnitudes, each time that an update is due."""

    def __init__(self, settings: GMPruningModifier, training: TrainingContext) -> None:
        """Matches the parameters; the first mask is made when the modifier begins."""
        super().__init__(settings.params, training)
        self._settings = settings
        self._epochs_per_step = 1.0 / training.steps_per_epoch
        self._initial: dict[str, float] = {}

    def before_step(self, epoch: float) -> None:
        """Makes new masks when an update is due at `epoch`."""
        settings = self._settings
        if not settings.leave_enabled and settings.end_epoch != UNSET_EPOCH and epoch >= settings.end_epoch:
            self._masked = None
        elif settings.is_update_due(epoch, epoch - self._epochs_per_step):
            self._initial = self._initial or self._initial_sparsities()
            self._set_masks(self._new_masks(epoch))

    def _initial_sparsities(self) -> dict[str, float]:
        if isinstance(self._settings.init_sparsity, float):
            return dict.fromkeys(self._parameters, self._settings.init_sparsity)
        return {name: float((weight == 0).float().mean()) for name, weight in self._parameters.items()}

    def _new_masks(self, epoch: float) -> dict[str, Tensor]:
        scores = {name: weight.detach().abs() for name, weight in self._parameters.items()}
        targets = {name: self._settings.sparsity_at(epoch, initial) for name, initial in self._initial.items()}
        if self._settings.global_sparsity:
            total = sum(score.numel() for score in scores.values())
            target = sum(targets[name] * score.numel() for name, score in scores.items()) / total
            return dict(zip(scores, keep_top_global(list(scores.values()), target), strict=True))
        return {name: keep_top(score, targets[name]) for name, score in scores.items()}

    def state(self) -> dict[str, Tensor]:
        """The masks in force, and the sparsity from which each parameter began."""
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
