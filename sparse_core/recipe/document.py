"""A recipe's text as a tree of YAML nodes that know their lines. No tag builds an object."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sparse_core.errors import Place, RecipeError
from sparse_core.recipe.expressions import MAX_NUMBER

MAX_CHARACTERS = 100_000
MAX_DEPTH = 20
MAX_VALUES = 20_000
"""How many values may be read, an alias counting each time that it is used."""

_INTEGER = re.compile(r"[-+]?[0-9]+")
_DECIMAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null"), None),
    **dict.fromkeys(("true", "yes", "on"), True),
    **dict.fromkeys(("false", "no", "off"), False),
}
_YAML_TAG = "tag:yaml.org,2002:"
_STANDARD_TAGS = {
    _YAML_TAG + name for name in ("null", "bool", "int", "float", "str", "seq", "map", "merge", "timestamp", "value")
}
_MERGE_TAG = _YAML_TAG + "merge"


@dataclass(frozen=True)
class Entry:
    """One `name: value` of a mapping."""

    name: str
    key: Node
    value: Node
    place: Place


class _BoundedLoader(yaml.SafeLoader):
    """Composes nodes, and refuses deep nesting before Python's stack overflows."""

    depth = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark
            raise yaml.MarkedYAMLError(problem=f"nested more than {MAX_DEPTH} deep", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class Document:
    """One parsed recipe text."""

    def __init__(self, source: str, text: str) -> None:
        """Parses `text`; `source` names it in messages.

        Raises:
            RecipeError: the text is too long, not YAML, or not a mapping at its root.
        """
        self.source = source
        self._values_read = 0
        if len(text) > MAX_CHARACTERS:
            raise RecipeError(
                "", f"has {len(text)} characters, a recipe may have at most {MAX_CHARACTERS}", place=Place(source)
            )
        try:
            root = yaml.compose(text, Loader=_BoundedLoader)
        except yaml.YAMLError as error:
            raise _syntax_error(source, error) from None
        if not isinstance(root, MappingNode):
            raise RecipeError(
                "",
                f"expected `name: value` lines and groups such as `training_modifiers:` at the root, not {kind(root)}",
                place=Place(source),
            )
        self.root = root

    def place(self, node: Node) -> Place:
        """Where `node` begins."""
        return Place(self.source, node.start_mark.line + 1)

    def read(self, node: Node) -> None:
        """Counts one more value read.

        Raises:
            RecipeError: more than `MAX_VALUES`, which only aliases of aliases reach.
        """
        self._values_read += 1
        if self._values_read > MAX_VALUES:
            raise RecipeError(
                "",
                f"the recipe unfolds to more than {MAX_VALUES} values",
                fix="use fewer YAML aliases",
                place=self.place(node),
            )

    def entries(self, mapping: MappingNode, depth: int = 0) -> list[Entry]:
        """The mapping's entries in order, with `<<` merges carried out.

        Raises:
            RecipeError: a name is given twice or is not a plain text, or a merge does not name mappings.
        """
        own: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in mapping.value:
            self.read(key)
            if key.tag == _MERGE_TAG:
                for entry in self._merged_entries(value, depth):
                    merged.setdefault(entry.name, entry)
                continue
            place = self.place(key)
            if not isinstance(key, ScalarNode):
                raise RecipeError("", f"expected a name before the colon, not {kind(key)}", place=place)
            if key.value in own:
                first = own[key.value].place.line
                raise RecipeError(key.value, f"was already given in line {first}", fix="remove one", place=place)
            own[key.value] = Entry(key.value, key, value, place)
        return list(own.values()) + [entry for name, entry in merged.items() if name not in own]

    def _merged_entries(self, value: Node, depth: int) -> list[Entry]:
        parts = value.value if isinstance(value, SequenceNode) else [value]
        mappings = [part for part in parts if isinstance(part, MappingNode)]
        if depth > MAX_DEPTH or len(mappings) < len(parts):
            raise RecipeError("<<", f"takes an alias of a mapping, not {kind(value)}", place=self.place(value))
        return [entry for mapping in mappings for entry in self.entries(mapping, depth + 1)]

    def scalar(self, node: ScalarNode) -> str | int | float | bool | None:
        """The value of a scalar: a quoted one is text, a plain one is read by `plain_value`.

        Raises:
            RecipeError: the number is beyond what a recipe may hold.
        """
        if node.style is not None:
            return node.value
        value = plain_value(node.value)
        if isinstance(value, int | float) and not abs(value) <= MAX_NUMBER:
            raise RecipeError(
                "",
                f"{node.value[:60]} is beyond the largest accepted number, {MAX_NUMBER:g}",
                fix="quote it if it is a name",
                place=self.place(node),
            )
        return value

    def require_no_tag(self, node: Node) -> None:
        """Refuses a tag on a value: only the items of a group carry one.

        Raises:
            RecipeError: the value has a tag that is not YAML's own.
        """
        if node.tag not in _STANDARD_TAGS:
            raise RecipeError(
                "",
                f"the tag '{shown_tag(node.tag)}' is not accepted here",
                fix="tags name modifiers (`- !NameModifier`) only",
                place=self.place(node),
            )


def plain_value(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means: null, a boolean, a decimal number (`1e-4` is one) or else its text."""
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text) and len(text) <= 40:
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text


def kind(node: Node | None) -> str:
    """What `node` is, in words for a message."""
    if isinstance(node, ScalarNode):
        return f"'{node.value[:60]}'" if node.value else "nothing"
    if isinstance(node, MappingNode):
        return "a mapping (`name: value` lines)"
    return "a list" if isinstance(node, SequenceNode) else "nothing"


def shown_tag(tag: str) -> str:
    """The tag as its author wrote it: YAML's own prefix shortened to `!!`."""
    return tag.replace(_YAML_TAG, "!!", 1)[:80]


def _syntax_error(source: str, error: yaml.YAMLError) -> RecipeError:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        context = f" {error.context}" if error.context else ""
        place = Place(source, error.problem_mark.line + 1)
        return RecipeError("", f"not valid YAML{context}: {error.problem}", place=place)
    reason = getattr(error, "reason", "it cannot be read")
    return RecipeError("", f"not valid YAML: {reason}", place=Place(source))
