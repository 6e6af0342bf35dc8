"""From a recipe's source to a checked `Recipe`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sparse_core.errors import did_you_mean, shown
from sparse_core.fields import accepted, takes_booleans
from sparse_core.modifiers.base import Modifier
from sparse_core.modifiers.registry import MODIFIERS
from sparse_core.recipe.document import Document, Entry, Place, kind, shown_tag
from sparse_core.recipe.overrides import read_overrides
from sparse_core.recipe.rules import PlacedModifier, ineffective_settings, require_consistent
from sparse_core.recipe.schema import Recipe
from sparse_core.recipe.sources import read_source
from sparse_core.recipe.sparseml import UNSUPPORTED_FIELDS, UNSUPPORTED_MODIFIERS
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
        RecipeError: the recipe cannot be found, read or run; the message names the file and the line.
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
                raise entry.place.error(
                    f"'{entry.name}' is a stage (it holds '{name}') and staged recipes are not supported; give each "
                    "stage a file of its own, with its groups and variables at the root, and run one after the other"
                )


def _group_items(document: Document, group: Entry) -> list[Node]:
    if not isinstance(group.value, SequenceNode) or group.value.tag != "tag:yaml.org,2002:seq":
        raise group.place.error(
            f"'{group.name}' is a group because its name contains 'modifiers'; expected a list of `- !NameModifier` "
            f"items, found {kind(group.value)}"
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
        raise place.error(f"!{cls.__name__}: expected `name: value` lines below it, found {kind(node)}")
    values, places = {}, {}
    for entry in entries:
        value = variables.value_of(entry)
        if entry.name in cls.model_fields:
            _require_no_boolean(cls, entry, value)
            values[entry.name], places[entry.name] = value, entry.place
        else:
            _require_at_sparseml_default(cls, entry, value)
            notes.append(f"{entry.place}: {cls.__name__}.{entry.name} has no effect: it stands at SparseML's default")
    try:
        modifier = cls.model_validate(values)
    except ValidationError as error:
        message, field = _one_sentence(cls, error)
        raise places.get(field, place).error(message) from None
    return PlacedModifier(modifier, place, places)


def _modifier_class(place: Place, node: Node) -> type[Modifier]:
    tag = node.tag
    if not tag.startswith("!"):
        found = f"the tag '{shown_tag(tag)}'" if "python/" in tag else kind(node)
        raise place.error(f"expected `- !NameModifier` with its fields below, found {found}")
    key = tag.removeprefix("!").removeprefix(_PYTORCH_PREFIX)
    if key in MODIFIERS:
        return MODIFIERS[key]
    if key in UNSUPPORTED_MODIFIERS:
        advice = f"; {UNSUPPORTED_MODIFIERS[key]}" if UNSUPPORTED_MODIFIERS[key] else ""
        raise place.error(
            f"!{key} is a SparseML modifier that is not supported here{advice}; supported are {', '.join(MODIFIERS)}"
        )
    raise place.error(
        f"unknown modifier !{key[:80]}; supported are {', '.join(MODIFIERS)}{did_you_mean(key, MODIFIERS)}"
    )


def _require_no_boolean(cls: type[Modifier], entry: Entry, value: Any) -> None:
    field = cls.model_fields[entry.name]
    if isinstance(value, bool) and not takes_booleans(field.annotation):  # pydantic would read true as 1
        raise entry.place.error(f"{cls.__name__}.{entry.name}: expected {accepted(field)}, got {shown(value)}")


def _require_at_sparseml_default(cls: type[Modifier], entry: Entry, value: Any) -> None:
    defaults = UNSUPPORTED_FIELDS.get(cls.__name__, {})
    if entry.name not in defaults:
        names = list(cls.model_fields)
        raise entry.place.error(
            f"unknown field {cls.__name__}.{entry.name[:80]}; accepted are {', '.join(names)}"
            + did_you_mean(entry.name, names)
        )
    if value != defaults[entry.name]:
        raise entry.place.error(
            f"{cls.__name__}.{entry.name} is a SparseML field that is not supported here; only its SparseML default "
            f"({shown(defaults[entry.name])}) is accepted, got {shown(value)}; remove the line"
        )


def _one_sentence(cls: type[Modifier], error: ValidationError) -> tuple[str, str]:
    """The first of pydantic's complaints as a sentence of ours, and the field that it is about."""
    first = error.errors(include_url=False)[0]
    if first["type"] == "value_error":
        message = first["msg"].removeprefix("Value error, ")
        return f"{cls.__name__}.{message}", str(first["loc"][0]) if first["loc"] else message.partition(":")[0]
    name = str(first["loc"][0])
    field = cls.model_fields[name]
    if first["type"] == "missing":
        return f"{cls.__name__}.{name} is missing; expected {accepted(field)}", name
    return f"{cls.__name__}.{name}: expected {accepted(field)}, got {shown(first['input'])}", name


def _unused_variables(variables: Variables) -> list[str]:
    return [
        f"{entry.place}: variable '{entry.name}' has no effect: no modifier uses it"
        + (", so its value in recipe_args changes nothing" if variables.is_overridden(entry.name) else "")
        for entry in variables.unused()
    ]
