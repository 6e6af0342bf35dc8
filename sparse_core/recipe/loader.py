"""From a recipe's source to a checked `Recipe`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sparse_core.errors import Place, RecipeError, listed, nearest, shown
from sparse_core.fields import validated
from sparse_core.modifiers.base import Modifier
from sparse_core.modifiers.registry import MODIFIERS
from sparse_core.recipe.document import Document, Entry, kind, shown_tag
from sparse_core.recipe.overrides import read_overrides
from sparse_core.recipe.rules import PlacedModifier, ineffective_settings, require_consistent
from sparse_core.recipe.schema import Recipe
from sparse_core.recipe.sources import read_source
from sparse_core.recipe.sparseml import UNSUPPORTED_MODIFIERS
from sparse_core.recipe.variables import Variables

_GROUP_MARK = "modifiers"
_DESCRIPTIVE_KEYS = ("version", "__metadata__")
_PYTORCH_PREFIX = "pytorch."


def load_recipe(source: str | Path, recipe_args: Mapping[str, Any] | str | None = None) -> Recipe:
    """Reads, resolves and checks a recipe.

    Args:
        source: name of a built-in recipe, a `.yaml`, `.yml` or `.md` (front matter) file, a directory with a
            `recipe.yaml`, or YAML text, which must have a newline.
        recipe_args: new values for root variables: a mapping, JSON text, or `name=value,name=value`.

    Raises:
        RecipeError: the recipe cannot be found, read or run; its place is the file and the line.
    """
    overrides = read_overrides(recipe_args)
    name, text = read_source(source)
    document = Document(name, text)
    entries = [entry for entry in document.entries(document.root) if entry.name not in _DESCRIPTIVE_KEYS]
    groups = [entry for entry in entries if _GROUP_MARK in entry.name]
    plain = [entry for entry in entries if _GROUP_MARK not in entry.name]
    for entry in plain:
        _require_not_a_stage(document, entry)
    variables = Variables(document, plain, overrides)
    items: list[PlacedModifier] = []
    notes: list[str] = []
    for group in groups:
        for node in _group_items(document, group):
            items.append(_read_modifier(document, node, variables, notes))
    require_consistent(name, items)
    return Recipe(
        modifiers=tuple(item.modifier for item in items),
        variables=variables.all_values(),
        source=name,
        warnings=(*notes, *ineffective_settings(items), *_unused_variables(variables)),
    )


def _require_not_a_stage(document: Document, entry: Entry) -> None:
    if isinstance(entry.value, MappingNode):
        for name in (inner.name for inner in document.entries(entry.value)):
            if _GROUP_MARK in name:
                raise RecipeError(
                    entry.name,
                    f"is a stage (it holds '{name}'), and staged recipes are not supported",
                    fix="give each stage a file of its own, with its groups and variables at the root, and run one "
                    "after the other",
                    place=entry.place,
                )


def _group_items(document: Document, group: Entry) -> list[Node]:
    if not isinstance(group.value, SequenceNode) or group.value.tag != "tag:yaml.org,2002:seq":
        raise RecipeError(
            group.name,
            f"is a group because its name contains '{_GROUP_MARK}', so it must be a list of `- !NameModifier` items, "
            f"not {kind(group.value)}",
            place=group.place,
        )
    for node in group.value.value:
        document.read(node)
    return group.value.value


def _read_modifier(document: Document, node: Node, variables: Variables, notes: list[str]) -> PlacedModifier:
    place = document.place(node)
    cls = _modifier_class(place, node)
    if isinstance(node, MappingNode):
        entries = document.entries(node)
    elif isinstance(node, ScalarNode) and not node.value:
        entries = []
    else:
        raise RecipeError(cls.__name__, f"expected `name: value` lines below it, not {kind(node)}", place=place)
    values, places = {}, {}
    for entry in entries:
        value = variables.value_of(entry)
        if entry.name in cls.model_fields:
            values[entry.name], places[entry.name] = value, entry.place
        else:
            _require_at_sparseml_default(cls, entry, value)
            notes.append(f"{entry.place}: {cls.__name__}.{entry.name} has no effect: it stands at SparseML's default")
    try:
        modifier = validated(cls, values, RecipeError)
    except RecipeError as error:
        named = error.renamed(lambda name: f"{cls.__name__}.{name}")
        raise named.at(places.get(error.setting, place)) from None
    return PlacedModifier(modifier, place, places)


def _modifier_class(place: Place, node: Node) -> type[Modifier]:
    tag = node.tag
    if not tag.startswith("!"):
        shown_node = f"the tag '{shown_tag(tag)}'" if "python/" in tag else kind(node)
        raise RecipeError("", f"expected `- !NameModifier` with its fields below, not {shown_node}", place=place)
    key = tag.removeprefix("!").removeprefix(_PYTORCH_PREFIX)
    if key in MODIFIERS:
        return MODIFIERS[key]
    if key in UNSUPPORTED_MODIFIERS:
        raise RecipeError(
            key,
            f"a SparseML modifier that is not supported here; supported are {listed(MODIFIERS)}",
            fix=UNSUPPORTED_MODIFIERS[key],
            place=place,
        )
    raise RecipeError(
        key[:80],
        f"unknown modifier; supported are {listed(MODIFIERS)}",
        fix=nearest(key, MODIFIERS),
        place=place,
    )


def _require_at_sparseml_default(cls: type[Modifier], entry: Entry, value: Any) -> None:
    setting, defaults = f"{cls.__name__}.{entry.name[:80]}", cls.sparseml_defaults
    if entry.name not in defaults:
        raise RecipeError(
            setting,
            "unknown field",
            accepted=f"one of {listed(cls.model_fields)}",
            fix=nearest(entry.name, cls.model_fields),
            place=entry.place,
        )
    if value != defaults[entry.name]:
        raise RecipeError(
            setting,
            "a SparseML field that is not supported here",
            accepted=f"SparseML's default, {shown(defaults[entry.name])}",
            got=value,
            fix="remove the line",
            place=entry.place,
        )


def _unused_variables(variables: Variables) -> list[str]:
    return [
        f"{entry.place}: variable '{entry.name}' has no effect: no modifier uses it"
        + (", so its value in recipe_args changes nothing" if variables.is_overridden(entry.name) else "")
        for entry in variables.unused()
    ]
