"""Root variables of a recipe: overrides, references between variables, and the values of fields that use them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from sparse_core.errors import Place, RecipeError, nearest
from sparse_core.recipe.document import MAX_DEPTH, Document, Entry
from sparse_core.recipe.expressions import evaluate

MAX_REFERENCES = 50
_MAX_LISTED_NAMES = 20
_OVERRIDES = "recipe_args"
_EVAL = re.compile(r"\s*eval\((.*)\)\s*", re.DOTALL)

Value = Any
"""None, bool, int, float, str, or a list or dict of these."""


class Variables:
    """Values of the root variables, computed when they are first used."""

    def __init__(self, document: Document, entries: list[Entry], overrides: Mapping[str, Value]) -> None:
        """Takes the root entries that are no groups, and the values that `recipe_args` puts in their place.

        Raises:
            RecipeError: an override names no variable, or one that is a mapping.
        """
        self._document = document
        self._entries = {entry.name: entry for entry in entries}
        self._overrides = dict(overrides)
        self._values: dict[str, Value] = {}
        self.used: set[str] = set()
        # An alias is the very node that its anchor marks. Remembering whose value a node is lets `*n` follow an
        # override of `n`. A node that begins before its key was anchored elsewhere, so it is not that key's own.
        self._owners: dict[int, str] = {}
        for entry in entries:
            if entry.value.start_mark.index > entry.key.start_mark.index:
                self._owners.setdefault(id(entry.value), entry.name)
        self._check_overrides()

    def _check_overrides(self) -> None:
        for name in self._overrides:
            if name not in self._entries:
                raise RecipeError(
                    _OVERRIDES,
                    f"'{name[:80]}' is not a variable at the root of {self._document.source}, which has: "
                    + self._names(),
                    fix=nearest(name, self._entries),
                )
            if isinstance(self._entries[name].value, MappingNode):
                raise RecipeError(
                    _OVERRIDES, f"'{name}' cannot be replaced: in {self._document.source} it is a mapping"
                )

    def value_of(self, field: Entry) -> Value:
        """The value of a modifier's field, with aliases of variables and `eval(...)` computed.

        Raises:
            RecipeError: an unknown variable, a cycle, wrong arithmetic, or a tag.
        """
        return self._value(field.value, field.place, trail=(), depth=0)

    def all_values(self) -> dict[str, Value]:
        """Every variable's value, by name; marks none of them as used."""
        used = set(self.used)
        values = {entry.name: self._resolve(entry.name, entry.place, ()) for entry in self._entries.values()}
        self.used = used
        return values

    def unused(self) -> list[Entry]:
        """Variables that no modifier uses; mappings are left out, since `<<` reads them without asking."""
        return [
            entry
            for entry in self._entries.values()
            if entry.name not in self.used and not isinstance(entry.value, MappingNode)
        ]

    def is_overridden(self, name: str) -> bool:
        """Whether `recipe_args` gave this variable its value."""
        return name in self._overrides

    def _names(self) -> str:
        names = list(self._entries)
        more = ["..."] if len(names) > _MAX_LISTED_NAMES else []
        return ", ".join(names[:_MAX_LISTED_NAMES] + more) or "none"

    def _resolve(self, name: str, place: Place, trail: tuple[str, ...]) -> Value:
        if name not in self._entries:
            raise RecipeError(
                name,
                f"no variable of this name is defined at the root of the recipe; defined are: {self._names()}",
                fix=nearest(name, self._entries),
                place=place,
            )
        if name in trail:
            circle = " -> ".join((*trail, name))
            raise RecipeError(name, f"variables refer to one another in a circle: {circle}", place=place)
        if len(trail) >= MAX_REFERENCES:
            raise RecipeError(name, f"more than {MAX_REFERENCES} variables refer to one another in a row", place=place)
        self.used.add(name)
        if name not in self._values:
            self._values[name] = self._compute(name, (*trail, name))
        return self._values[name]

    def _compute(self, name: str, trail: tuple[str, ...]) -> Value:
        entry = self._entries[name]
        if name in self._overrides:
            return self._evaluated(self._overrides[name], Place(_OVERRIDES), trail)
        if self._owners.get(id(entry.value)) == name:
            return self._convert(entry.value, trail, depth=0)
        return self._value(entry.value, entry.place, trail, depth=0)

    def _value(self, node: Node, used_at: Place, trail: tuple[str, ...], depth: int) -> Value:
        # An alias has its anchor's place in the text, hence `used_at`.
        owner = self._owners.get(id(node))
        if owner is not None:
            return self._resolve(owner, used_at, trail)
        return self._convert(node, trail, depth)

    def _convert(self, node: Node, trail: tuple[str, ...], depth: int) -> Value:
        self._document.read(node)
        self._document.require_no_tag(node)
        if depth > MAX_DEPTH:
            raise RecipeError("", f"a value is nested more than {MAX_DEPTH} deep", place=self._document.place(node))
        if isinstance(node, SequenceNode):
            return [self._element(element, node, trail, depth + 1) for element in node.value]
        if isinstance(node, MappingNode):
            return {e.name: self._element(e.value, node, trail, depth + 1) for e in self._document.entries(node)}
        assert isinstance(node, ScalarNode)
        return self._evaluated(self._document.scalar(node), self._document.place(node), trail)

    def _element(self, node: Node, parent: Node, trail: tuple[str, ...], depth: int) -> Value:
        place = self._document.place(parent)
        value = self._value(node, place, trail, depth)
        is_variable = isinstance(node, ScalarNode) or id(node) in self._owners
        if is_variable and isinstance(value, list | dict):
            # Lists of lists of variables would let a short text grow without bound.
            raise RecipeError("", "a variable inside a list must be a single value, not a list", place=place)
        return value

    def _evaluated(self, value: Value, place: Place, trail: tuple[str, ...]) -> Value:
        if not isinstance(value, str) or "eval(" not in value:
            return value
        expression = _EVAL.fullmatch(value)
        if expression is None:
            raise RecipeError("", f"eval(...) must be the whole value, not a part of '{value[:80]}'", place=place)
        try:
            return evaluate(expression[1], lambda name: self._resolve(name, place, trail))
        except RecipeError as error:  # of a variable in the expression where it has a place
            raise (error if error.place else error.at(place)) from None
        except RecursionError:  # each expression is bounded, but each may be nested and name the next
            raise RecipeError("", "the expression and the variables in it are nested too deep", place=place) from None
