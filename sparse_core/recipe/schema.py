"""A recipe in memory: its modifiers in order, and what they claim together."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

from sparse_core.errors import RecipeError, listed, renamed_settings
from sparse_core.modifiers.base import Modifier
from sparse_core.modifiers.registry import MODIFIERS
from sparse_core.recipe.document import plain_value

if TYPE_CHECKING:
    from torch import nn

_SAVED_HEAD = """\
# Every variable is worked out; recipe_args can no longer change this recipe.
version: 1.1.0

modifiers:
"""


class Recipe(BaseModel):
    """Modifiers of one training. Two recipes are equal when they have equal modifiers in the same order.

    What a recipe does as a whole is what its modifiers claim, put together.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    modifiers: tuple[SerializeAsAny[Modifier], ...] = Field(min_length=1)
    variables: dict[str, Any] = Field(default_factory=dict)
    """Root variables after `recipe_args`; only shown, because the modifiers already hold the values."""
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
        """Epoch at which quantization-aware training starts, or None without it."""
        return min((epoch for m in self.modifiers if (epoch := m.quantizes_at) is not None), default=None)

    @property
    def finished_at(self) -> float:
        """Epoch from which the model counts as finished: the latest that a modifier claims."""
        return max(modifier.finished_at for modifier in self.modifiers)

    @property
    def changes_model(self) -> bool:
        """Whether the recipe makes zeros or changes the model's structure."""
        return any(m.makes_zeros or m.changes_structure_at is not None for m in self.modifiers)

    @property
    def makes_zeros(self) -> bool:
        """Whether the recipe prunes weights that were not zero."""
        return any(modifier.makes_zeros for modifier in self.modifiers)

    @property
    def prunes(self) -> bool:
        """Whether the recipe makes zeros or keeps them."""
        return any(modifier.makes_zeros or modifier.keeps_zeros for modifier in self.modifiers)

    @property
    def needs_teacher(self) -> bool:
        """Whether a modifier learns from a teacher."""
        return any(modifier.needs_teacher for modifier in self.modifiers)

    @property
    def needs_live_teacher(self) -> bool:
        """Whether the teacher must run on each batch."""
        return any(modifier.needs_live_teacher for modifier in self.modifiers)

    @property
    def names_of_teacher_users(self) -> str:
        """Names of the modifiers that learn from a teacher, for messages."""
        return listed(dict.fromkeys(type(m).__name__ for m in self.modifiers if m.needs_teacher))

    def teacher_output_keys(self, head_keys: Sequence[str]) -> tuple[str, ...]:
        """Names of all teacher outputs that modifiers read.

        Args:
            head_keys: outputs of the task's head.
        """
        return tuple(dict.fromkeys(key for m in self.modifiers for key in m.teacher_output_keys(head_keys)))

    def require_fit(self, model: nn.Module) -> None:
        """Refuses a recipe that does not fit `model`, before the first step.

        Raises:
            SparseCoreError: a modifier's settings do not fit; its setting is such as "QuantizationModifier.submodules".
        """
        for modifier in self.modifiers:
            with named_fields(type(modifier)):
                modifier.require_fit(model)

    @property
    def sets_learning_rate(self) -> bool:
        """Whether the recipe sets the learning rate in some epoch."""
        return any(modifier.learning_rate_at(modifier.begins_at) is not None for modifier in self.modifiers)

    @property
    def sets_weight_decay(self) -> bool:
        """Whether the recipe sets the weight decay in some epoch."""
        return any(modifier.weight_decay_at(modifier.begins_at) is not None for modifier in self.modifiers)

    def weight_decay_at(self, epoch: float) -> float | None:
        """Weight decay at `epoch`, or None where the recipe sets none; of several, the last to have started counts."""
        claims = [(m.begins_at, value) for m in self.modifiers if (value := m.weight_decay_at(epoch)) is not None]
        return max(reversed(claims), key=lambda claim: claim[0])[1] if claims else None

    def learning_rate_at(self, epoch: float) -> float | None:
        """Learning rate at `epoch` (fractional, counted from 0), or None where the recipe sets none."""
        modifier = learning_rate_modifier_at(self.modifiers, epoch)
        return None if modifier is None else modifier.learning_rate_at(epoch)

    def to_yaml(self) -> str:
        """The recipe as YAML without variables or expressions; `load_recipe` reads an equal recipe from it."""
        return _SAVED_HEAD + "".join(_item_yaml(modifier) for modifier in self.modifiers)


def learning_rate_modifier_at(modifiers: tuple[Modifier, ...], epoch: float) -> Modifier | None:
    """The modifier that decides the learning rate: of those that set one, the last to have started.

    Of two that start at the same epoch the later in the recipe decides. A curve holds its final value after its end, so
    it does not matter in which order the recipe lists two curves that follow one another.
    """
    setting = [modifier for modifier in modifiers if modifier.learning_rate_at(epoch) is not None]
    return max(reversed(setting), key=lambda modifier: modifier.begins_at, default=None)


def named_fields(cls: type[Modifier]) -> AbstractContextManager[None]:
    """Lets the errors of the block name a field of `cls` with its class, as in "QuantizationModifier.submodules"."""
    return renamed_settings(lambda name: f"{cls.__name__}.{name}" if name in cls.model_fields else name)


def require_pruning(recipe: Recipe) -> None:
    """Refuses a recipe that neither makes zeros nor keeps them.

    Raises:
        RecipeError: the recipe has no pruning modifier.
    """
    if not recipe.prunes:
        makers = [name for name, cls in MODIFIERS.items() if cls.makes_zeros]
        keepers = [name for name, cls in MODIFIERS.items() if cls.keeps_zeros and not cls.makes_zeros]
        raise RecipeError(
            "recipe",
            f"{recipe.source} never prunes, so the result would be dense",
            fix=f"add a modifier that keeps the zeros of a sparse model ({listed(keepers)}) or one that makes them "
            f"({listed(makers)})",
        )


def require_gradual_pruning(recipe: Recipe) -> None:
    """Refuses a recipe that makes no zeros, as pruning a dense model needs.

    Raises:
        RecipeError: the recipe has no modifier that makes zeros.
    """
    if not recipe.makes_zeros:
        makers = [name for name, cls in MODIFIERS.items() if cls.makes_zeros]
        raise RecipeError(
            "recipe",
            f"{recipe.source} makes no zeros, so a dense model would stay dense",
            fix=f"add one of {listed(makers)}, or start from 'sparsify/gradual_quant'",
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
