"""What must hold for a recipe as a whole, and which of its settings change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sparse_core.errors import RecipeError
from sparse_core.modifiers.base import Modifier
from sparse_core.modifiers.epoch_range import EpochRangeModifier
from sparse_core.modifiers.learning_rate import LearningRateFunctionModifier
from sparse_core.modifiers.pruning.magnitude import GMPruningModifier
from sparse_core.modifiers.quantization.modifier import QuantizationModifier
from sparse_core.recipe.document import Place
from sparse_core.recipe.schema import learning_rate_modifier_at


@dataclass(frozen=True)
class PlacedModifier:
    """A modifier and where the recipe's text has it and its fields."""

    modifier: Modifier
    place: Place
    field_places: dict[str, Place]

    @property
    def key(self) -> str:
        """The modifier's name in recipes."""
        return type(self.modifier).__name__

    def place_of(self, field: str) -> Place:
        """Where `field` is set, or the item itself where it is left out."""
        return self.field_places.get(field, self.place)


def require_consistent(source: str, items: list[PlacedModifier]) -> None:
    """Refuses recipes that cannot be run whatever the model.

    Raises:
        RecipeError: no modifier, no length, or quantization that never trains.
    """
    if not items:
        raise RecipeError(
            f"{source}: has no modifiers; add a group such as `training_modifiers:` with `- !EpochRangeModifier` items"
        )
    num_epochs = max(item.modifier.end_epoch for item in items)
    if num_epochs <= 0.0:
        raise RecipeError(f"{source}: does not say how many epochs to train; add an EpochRangeModifier with end_epoch")
    quantization = [item for item in items if isinstance(item.modifier, QuantizationModifier)]
    if len(quantization) > 1:
        raise quantization[1].place.error(
            f"a second QuantizationModifier, the first is in line {quantization[0].place.line}; keep one"
        )
    for item in quantization:
        if item.modifier.begins_at >= num_epochs:
            raise item.place_of("start_epoch").error(
                f"QuantizationModifier.start_epoch: expected an epoch before the recipe's last ({num_epochs:g}), "
                f"got {item.modifier.begins_at:g}, so nothing would be trained quantized"
            )


def ineffective_settings(items: list[PlacedModifier]) -> Iterator[str]:
    """One sentence for each setting of the modifiers that changes nothing.

    Args:
        items: the modifiers of a recipe that `require_consistent` has passed.
    """
    num_epochs = max(item.modifier.end_epoch for item in items)
    for item in items:
        modifier = item.modifier
        for field, reason in modifier.ineffective_fields.items():
            if field in modifier.model_fields_set:
                yield _no_effect(item, field, reason)
        yield from _without_effect_in_combination(item, num_epochs)
    yield from _hidden_learning_rates(items, num_epochs)


def _without_effect_in_combination(item: PlacedModifier, num_epochs: float) -> Iterator[str]:
    match item.modifier:
        case EpochRangeModifier() as modifier:
            if modifier.begins_at > 0.0:
                yield _no_effect(item, "start_epoch", "training starts at epoch 0")
            if modifier.end_epoch < num_epochs:
                yield _no_effect(item, "end_epoch", f"another modifier ends later, at epoch {num_epochs:g}")
            return
        case LearningRateFunctionModifier() as modifier:
            if "cycle_epochs" in modifier.model_fields_set and modifier.lr_func != "cyclic_linear":
                yield _no_effect(item, "cycle_epochs", f"lr_func is {modifier.lr_func}, only cyclic_linear has cycles")
        case QuantizationModifier() as modifier:
            for field in ("disable_quantization_observer_epoch", "freeze_bn_stats_epoch"):
                epoch = getattr(modifier, field)
                if epoch is not None and epoch >= num_epochs:
                    yield _no_effect(item, field, f"{epoch:g} is not below the recipe's last epoch, {num_epochs:g}")
    yield from _never_active(item, num_epochs)


def _never_active(item: PlacedModifier, num_epochs: float) -> Iterator[str]:
    modifier = item.modifier
    if modifier.begins_at >= num_epochs:
        yield _no_effect(item, "start_epoch", f"it is not below the recipe's last epoch, {num_epochs:g}")
    # Gradual pruning of no length still prunes, once.
    elif modifier.end_epoch == modifier.begins_at and not isinstance(modifier, GMPruningModifier):
        yield _no_effect(item, "end_epoch", "it is the epoch at which the modifier starts")


def _no_effect(item: PlacedModifier, field: str, reason: str) -> str:
    return f"{item.place_of(field)}: {item.key}.{field} has no effect: {reason}"


def _hidden_learning_rates(items: list[PlacedModifier], num_epochs: float) -> Iterator[str]:
    modifiers = tuple(item.modifier for item in items)
    ends = {edge for modifier in modifiers for edge in (modifier.begins_at, modifier.end_epoch)}
    edges = sorted({0.0, num_epochs} | {edge for edge in ends if 0.0 < edge < num_epochs})
    # Which modifier is in force changes at edges only, so one epoch inside each interval settles the whole interval.
    middles = [(start + end) / 2 for start, end in pairwise(edges)]
    in_force = {id(learning_rate_modifier_at(modifiers, epoch)) for epoch in middles}
    for item in items:
        sets_one = any(item.modifier.learning_rate_at(epoch) is not None for epoch in middles)
        if sets_one and id(item.modifier) not in in_force:
            yield (
                f"{item.place}: {item.key} has no effect: at every epoch a learning-rate modifier that starts later, "
                "or at the same epoch and further down, is in force"
            )
