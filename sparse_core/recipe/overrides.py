"""`recipe_args`: new values for a recipe's root variables."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from sparse_core.errors import RecipeError
from sparse_core.recipe.document import plain_value
from sparse_core.recipe.expressions import MAX_NUMBER

MAX_CHARACTERS = 10_000


def read_overrides(recipe_args: Mapping[str, Any] | str | None) -> dict[str, Any]:
    """Values by variable name, from a mapping, JSON text, `name=value,name:value` text, or nothing.

    Raises:
        RecipeError: the text is neither form, or a value is not a number, text, boolean, or a list of these.
    """
    if recipe_args is None or (isinstance(recipe_args, str) and not recipe_args.strip()):
        return {}
    values = _from_text(recipe_args.strip()) if isinstance(recipe_args, str) else recipe_args
    if not isinstance(values, Mapping):
        raise RecipeError("recipe_args", accepted='names and values such as {"num_epochs": 3}', got=values)
    return {str(name): _checked(str(name), value) for name, value in values.items()}


def _from_text(text: str) -> Any:
    if len(text) > MAX_CHARACTERS:
        raise RecipeError("recipe_args", f"has {len(text)} characters, at most {MAX_CHARACTERS} are accepted")
    if text[0] in '{["':
        try:
            return json.loads(text, object_pairs_hook=_without_repeats)
        except RecipeError:
            raise
        except (ValueError, RecursionError) as error:
            raise RecipeError(
                "recipe_args",
                f"'{text[:80]}' is not JSON ({error})",
                fix='names and texts need double quotes, such as {"num_epochs": 3}',
            ) from None
    pairs = [re.split("[=:]", part, maxsplit=1) for part in text.split(",")]
    if not all(len(pair) == 2 and pair[0].strip() for pair in pairs):
        raise RecipeError("recipe_args", accepted='JSON such as {"num_epochs": 3}, or name=value,name:value', got=text)
    return _without_repeats([(name.strip(), value.strip()) for name, value in pairs])


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        raise RecipeError(
            "recipe_args", f"'{next(n for n in names if names.count(n) > 1)}' is given twice", fix="remove one"
        )
    return values


def _checked(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_scalar(name, element) for element in value]
    return _scalar(name, value)


def _scalar(name: str, value: Any) -> Any:
    if isinstance(value, str):
        value = plain_value(value)
    if value is not None and not isinstance(value, str | bool | int | float):
        raise RecipeError(
            "recipe_args",
            f"'{name}' is of type {type(value).__name__}",
            accepted="a number, text, true, false, or a list of these",
        )
    if isinstance(value, int | float) and not abs(value) <= MAX_NUMBER:  # also refuses nan
        raise RecipeError("recipe_args", f"'{name}' is beyond the largest accepted number, {MAX_NUMBER:g}")
    return value
