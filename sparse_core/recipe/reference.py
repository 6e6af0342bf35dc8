"""The parts of the documentation that repeat code, made from the classes themselves.

A page marks such a part by two lines, `<!-- generated: NAME -->` and `<!-- end of NAME -->`; a test compares what
stands between them, and `make golden` writes it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

from pydantic.fields import FieldInfo

from sparse_core.errors import plain
from sparse_core.fields import accepted
from sparse_core.modifiers.base import ActiveModifier, Modifier
from sparse_core.modifiers.registry import MODIFIERS
from sparse_core.recipe import document, expressions, variables

_BLOCK = re.compile(r"<!-- generated: (?P<name>[^\n]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)
_MARK = "<!-- generated: "
_FIELDS_OF = "fields of "
_HOOKS = ("before_step", "loss", "after_backward", "after_step", "end_epoch")
_CHECKPOINT = ("restore_structure", "state", "load_state")
_CLAIMS = (
    *("makes_zeros", "keeps_zeros", "needs_teacher", "needs_live_teacher", "only_one"),
    *("quantizes_at", "changes_structure_at", "finished_at", "segments", "learning_rate_at", "weight_decay_at"),
    *("require_length", "require_fit", "matched_parameters", "model_notes", "ineffective_settings"),
    "teacher_output_keys",
)


def with_generated_parts(page: str) -> str:
    """`page` with each generated part as the code says it now.

    Raises:
        ValueError: a mark has no end, or no part has its name.
    """
    updated, num_parts = _BLOCK.subn(lambda match: _part(match["name"]), page)
    if num_parts != page.count(_MARK):
        raise ValueError(f"{page.count(_MARK)} marks '{_MARK}NAME -->', but {num_parts} have their end")
    return updated


def modifiers_markdown() -> str:
    """A section for each modifier in registry order, with a table of its fields."""
    sections = (
        f"### {cls.__name__}\n\n{inspect.cleandoc(cls.__doc__ or '')}\n\n{_fields(cls)}" for cls in MODIFIERS.values()
    )
    return "\n\n".join(sections)


def _part(name: str) -> str:
    if name.startswith(_FIELDS_OF):
        text = _fields(MODIFIERS[name.removeprefix(_FIELDS_OF)])
    elif name in _PARTS:
        text = _PARTS[name]()
    else:
        raise ValueError(f"'{name}' is not generated; {', '.join(_PARTS)} and '{_FIELDS_OF}MODIFIER' are")
    return f"{_MARK}{name} -->\n\n{text}\n\n<!-- end of {name} -->"


def _fields(cls: type[Modifier]) -> str:
    rows = [_field_row(cls, name, field) for name, field in cls.model_fields.items()]
    return "\n".join(["| field | accepts | default | meaning |", "|---|---|---|---|", *rows])


def _field_row(cls: type[Modifier], name: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else "unset" if field.default is None else f"`{plain(field.default)}`"
    meaning = field.description or ""
    if name in cls.ineffective_fields:
        meaning = f"Accepted without effect: {cls.ineffective_fields[name]}."
    return f"| `{name}` | {accepted(field)} | {default} | {meaning} |".replace("__", r"\_\_")


def _hooks() -> str:
    return _methods("hook", ActiveModifier, (*_HOOKS, *_CHECKPOINT))


def _claims() -> str:
    return _methods("claim", Modifier, _CLAIMS)


def _methods(heading: str, cls: type, names: tuple[str, ...]) -> str:
    rows = [f"| {_signature(cls, name)} | {_summary(cls, name)} |" for name in names]
    return "\n".join([f"| {heading} | meaning |", "|---|---|", *rows])


def _signature(cls: type, name: str) -> str:
    member = inspect.getattr_static(cls, name)
    if not callable(member):
        return f"`{name}`"
    return f"`{name}({', '.join(list(inspect.signature(member).parameters)[1:])})`"


def _summary(cls: type, name: str) -> str:
    """The first paragraph of a docstring: of a method or property, or the text below a class variable."""
    member = inspect.getattr_static(cls, name)
    documented = isinstance(member, property) or callable(member)
    text = inspect.getdoc(member) if documented else _text_below(cls, name)
    return " ".join((text or "").split("\n\n")[0].split())


def _text_below(cls: type, name: str) -> str:
    match = re.search(rf'^    {name}: [^\n]*\n    """(.*?)"""', inspect.getsource(cls), re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def _limits() -> str:
    rows = (
        ("a recipe's text", f"{document.MAX_CHARACTERS:,} characters"),
        ("nesting", f"{document.MAX_DEPTH} levels"),
        ("values, an alias counting each time that it is used", f"{document.MAX_VALUES:,}"),
        ("an expression", f"{expressions.MAX_CHARACTERS} characters, {expressions.MAX_DEPTH} levels"),
        ("a number, also in the middle of an expression", f"{expressions.MAX_NUMBER:g} in magnitude"),
        ("variables that refer to one another in a row", f"{variables.MAX_REFERENCES}"),
    )
    return "\n".join(["| what | limit |", "|---|---|", *(f"| {what} | {limit} |" for what, limit in rows)])


_PARTS: dict[str, Callable[[], str]] = {
    "modifiers": modifiers_markdown,
    "hooks": _hooks,
    "claims": _claims,
    "limits": _limits,
}
