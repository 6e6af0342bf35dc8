"""Checks on a recipe as a whole, and the settings in it that change nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from sparse_core.errors import Place, RecipeError
from sparse_core.modifiers.base import Modifier
from sparse_core.recipe.schema import learning_rate_modifier_at


@dataclass(frozen=True)
class PlacedModifier:
    """A modifier and the lines of the recipe that it and its fields come from."""

    modifier: Modifier
    place: Place
    field_places: dict[str, Place]

    @property
    def key(self) -> str:
        """The modifier's name in recipes."""
        return type(self.modifier).__name__

    def located(self, error: RecipeError) -> RecipeError:
        """An error about a field, with the modifier's name and the line."""
        return error.renamed(lambda name: f"{self.key}.{name}").at(self.place_of(error.setting))

    def place_of(self, field: str) -> Place:
        """The line that sets `field`, or that of the item where the field is not set."""
        return self.field_places.get(field, self.place)


def require_consistent(source: str, items: list[PlacedModifier]) -> None:
    """Refuses recipes that cannot be run whatever the model.

    Raises:
        RecipeError: no modifier, no length, two modifiers of which only one may be there, or settings that make no
            sense in a recipe of this length.
    """
    if not items:
        raise RecipeError(
            "",
            "has no modifiers",
            fix="add a group such as `training_modifiers:` with `- !EpochRangeModifier` items",
            place=Place(source),
        )
    num_epochs = max(item.modifier.end_epoch for item in items)
    if num_epochs <= 0.0:
        raise RecipeError(
            "",
            "does not say how many epochs to train",
            fix="add an EpochRangeModifier with end_epoch",
            place=Place(source),
        )
    first_of_class: dict[type[Modifier], PlacedModifier] = {}
    for item in items:
        first = first_of_class.setdefault(type(item.modifier), item)
        if first is not item and item.modifier.only_one:
            raise RecipeError(
                item.key,
                f"a second one, the first is in line {first.place.line}",
                fix="keep one",
                place=item.place,
            )
        try:
            item.modifier.require_length(num_epochs)
        except RecipeError as error:
            raise item.located(error) from None


def ineffective_settings(items: list[PlacedModifier]) -> Iterator[str]:
    """One sentence for each setting of the modifiers that changes nothing.

    Args:
        items: the modifiers of a recipe that `require_consistent` has passed.
    """
    num_epochs = max(item.modifier.end_epoch for item in items)
    for item in items:
        for field, reason in item.modifier.ineffective_settings(num_epochs):
            yield f"{item.place_of(field)}: {item.key}.{field} has no effect: {reason}"
    yield from _hidden_learning_rates(items, num_epochs)


def _hidden_learning_rates(items: list[PlacedModifier], num_epochs: float) -> Iterator[str]:
    modifiers = tuple(item.modifier for item in items)
    ends = {edge for modifier in modifiers for edge in (modifier.begins_at, modifier.end_epoch)}
    edges = sorted({0.0, num_epochs} | {edge for edge in ends if 0.0 < edge < num_epochs})
    # the deciding modifier changes at edges only, so one epoch inside each interval stands for the whole interval
    middles = [(start + end) / 2 for start, end in pairwise(edges)]
    deciding = {id(learning_rate_modifier_at(modifiers, epoch)) for epoch in middles}
    for item in items:
        sets_one = any(item.modifier.learning_rate_at(epoch) is not None for epoch in middles)
        if sets_one and id(item.modifier) not in deciding:
            yield (
                f"{item.place}: {item.key} has no effect: at every epoch a learning-rate modifier decides that starts "
                "later, or at the same epoch and further down"
            )
