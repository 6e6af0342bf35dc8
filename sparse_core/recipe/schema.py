"""A recipe that has been read: the modifiers in order, and what they say together."""

from __future__ import annotations

from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from sparse_core.errors import RecipeError
from sparse_core.modifiers.base import Modifier
from sparse_core.modifiers.pruning.constant import ConstantPruningModifier
from sparse_core.modifiers.pruning.magnitude import GMPruningModifier
from sparse_core.modifiers.quantization.modifier import QuantizationModifier
from sparse_core.recipe.document import plain_value

ModifierT = TypeVar("ModifierT", bound=Modifier)

_SAVED_HEAD = """\
# Every variable is worked out; recipe_args can no longer change this recipe.
version: 1.1.0

modifiers:
"""


class Recipe(BaseModel):
    """Modifiers of one training. Two recipes are equal when they have equal modifiers in the same order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    modifiers: tuple[SerializeAsAny[Modifier], ...] = Field(min_length=1)
    variables: dict[str, Any] = Field(default_factory=dict)
    """Root variables after `recipe_args`; kept to be shown, since the modifiers already hold the values."""
    source: str = "recipe"
    """Where the recipe came from, for messages."""
    warnings: tuple[str, ...] = ()
    """One sentence for each setting that changes nothing."""

    def __eq__(self, other: object) -> bool:
        """Whether `other` is a recipe that does the same."""
        return isinstance(other, Recipe) and self.modifiers == other.modifiers

    __hash__ = None  # type: ignore[assignment]  # settings hold lists

    @property
    def num_epochs(self) -> float:
        """Length of the training in epochs: the largest end_epoch."""
        return max(modifier.end_epoch for modifier in self.modifiers)

    @property
    def quantization_start(self) -> float | None:
        """Epoch at which quantization-aware training begins, or None without it."""
        return min((modifier.begins_at for modifier in self.of_type(QuantizationModifier)), default=None)

    def of_type(self, cls: type[ModifierT]) -> tuple[ModifierT, ...]:
        """The modifiers that are instances of `cls`, in recipe order."""
        return tuple(modifier for modifier in self.modifiers if isinstance(modifier, cls))

    def learning_rate_at(self, epoch: float) -> float | None:
        """Learning rate in force at `epoch` (fractional, counted from 0), or None where the recipe sets none."""
        modifier = learning_rate_modifier_at(self.modifiers, epoch)
        return None if modifier is None else modifier.learning_rate_at(epoch)

    def to_yaml(self) -> str:
        """The recipe as YAML without variables or expressions; `load_recipe` reads an equal recipe from it."""
        return _SAVED_HEAD + "".join(_item_yaml(modifier) for modifier in self.modifiers)


def learning_rate_modifier_at(modifiers: tuple[Modifier, ...], epoch: float) -> Modifier | None:
    """The modifier whose learning rate is in force: of those that set one, the last to have begun.

    Of two that begin at the same epoch the later in the recipe wins. A curve holds its final value after its end, so
    the order of the items does not matter to one curve that follows another.
    """
    setting = [modifier for modifier in modifiers if modifier.learning_rate_at(epoch) is not None]
    return max(reversed(setting), key=lambda modifier: modifier.begins_at, default=None)


def prunes(recipe: Recipe) -> bool:
    """Whether a recipe makes zeros or keeps them."""
    return bool(recipe.of_type(GMPruningModifier) or recipe.of_type(ConstantPruningModifier))


def require_pruning(recipe: Recipe) -> None:
    """Refuses a recipe that neither makes zeros nor keeps them.

    Raises:
        RecipeError: the recipe has no pruning modifier.
    """
    if not prunes(recipe):
        raise RecipeError(
            f"recipe: {recipe.source} never prunes, so the result would be dense; add a ConstantPruningModifier "
            "(keeps the zeros of a sparse model) or a GMPruningModifier (makes them)"
        )


def require_gradual_pruning(recipe: Recipe) -> None:
    """Refuses a recipe that makes no zeros, as pruning a dense model needs.

    Raises:
        RecipeError: the recipe has no modifier that prunes by magnitude.
    """
    if not recipe.of_type(GMPruningModifier):
        raise RecipeError(
            f"recipe: {recipe.source} makes no zeros, so a dense model would stay dense; add a GMPruningModifier, or "
            "start from 'sparsify/gradual_quant'"
        )


class _Dumper(yaml.SafeDumper):
    """Writes text so that `plain_value` does not take it for a number or a boolean, and no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = None if plain_value(text) == text else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _dump(value: dict[str, Any]) -> str:
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _item_yaml(modifier: Modifier) -> str:
    key = type(modifier).__name__
    fields = modifier.model_dump(exclude_unset=True)
    if not fields:
        return f"  - !{key} {{}}\n"
    lines = _dump(fields).splitlines(keepends=True)
    return f"  - !{key}\n" + "".join(f"    {line}" for line in lines)
