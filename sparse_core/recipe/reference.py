"""The recipe reference: every modifier and field as Markdown, made from the classes themselves."""

from __future__ import annotations

import inspect

from pydantic.fields import FieldInfo

from sparse_core.errors import plain
from sparse_core.fields import accepted
from sparse_core.modifiers.base import Modifier
from sparse_core.modifiers.registry import MODIFIERS

BEGIN = "<!-- modifiers: made by sparse_core.recipe.reference, do not edit by hand -->"
END = "<!-- end of modifiers -->"


def modifiers_markdown() -> str:
    """A section for each modifier in registry order, with a table of its fields."""
    return "\n".join(_section(cls) for cls in MODIFIERS.values())


def with_modifiers(page: str) -> str:
    """`page` with the text between the two marker lines replaced by the sections of today's classes.

    Raises:
        ValueError: `page` does not have each marker once.
    """
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise ValueError(f"expected each of '{BEGIN}' and '{END}' once in the page")
    head, _, rest = page.partition(BEGIN)
    return f"{head}{BEGIN}\n\n{modifiers_markdown()}\n{END}{rest.partition(END)[2]}"


def _section(cls: type[Modifier]) -> str:
    lines = [f"### {cls.__name__}", "", inspect.cleandoc(cls.__doc__ or ""), ""]
    lines += ["| field | accepts | default | meaning |", "|---|---|---|---|"]
    lines += [_field_row(cls, name, field) for name, field in cls.model_fields.items()]
    return "\n".join(lines) + "\n"


def _field_row(cls: type[Modifier], name: str, field: FieldInfo) -> str:
    default = "required" if field.is_required() else "unset" if field.default is None else f"`{plain(field.default)}`"
    meaning = field.description or ""
    if name in cls.ineffective_fields:
        meaning = f"Accepted without effect: {cls.ineffective_fields[name]}."
    return f"| `{name}` | {accepted(field)} | {default} | {meaning} |".replace("__", r"\_\_")
