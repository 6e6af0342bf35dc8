"""What a field of a pydantic model accepts, in words: for error messages and for the recipe reference."""

from __future__ import annotations

import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

_SCALARS = {float: "a number", int: "a whole number", bool: "true or false", str: "a name"}


class Options(BaseModel):
    """Named values that a user gives: no other names, no NaN or infinity, and no boolean in the place of a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and not takes_booleans(annotation):  # pydantic would read true as 1
            raise ValueError
        return value


def first_misfit(model: type[BaseModel], error: ValidationError) -> tuple[str, Any, str]:
    """The first of pydantic's complaints about values of `model`.

    Returns:
        The field, the value that it was given or the part of it that does not fit, and a message such as
        "expected a whole number, at least 1, got 0".
    """
    misfit = error.errors(include_url=False)[0]
    name, value = str(misfit["loc"][0]), misfit["input"]
    return name, value, f"expected {accepted(model.model_fields[name])}, got {shown(value)}"


def accepted(field: FieldInfo) -> str:
    """The values that `field` accepts, such as "a number, at least 0 and below 1"."""
    return _bounded(field.annotation, field.metadata)


def takes_booleans(annotation: Any) -> bool:
    """Whether a boolean is among the values of `annotation`."""
    return annotation is bool or any(takes_booleans(argument) for argument in get_args(annotation))


def shown(value: Any) -> str:
    """A value as a recipe would write it, cut to 80 characters."""
    if value is None:
        text = "null"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float):
        text = f"{value:g}" if float(f"{value:g}") == value else repr(value)
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(shown(item) for item in value)}]"
    else:
        text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _bounded(annotation: Any, metadata: Iterable[object]) -> str:
    bounds = list(metadata)
    if Ge(-1.0) in bounds and Le(-1.0) in bounds:
        return "-1"
    texts = [text for text in map(_bound, bounds) if text]
    return f"{_words(annotation)}, {' and '.join(texts)}" if texts else _words(annotation)


def _words(annotation: Any) -> str:
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bounded(arguments[0], [item for field in arguments[1:] for item in getattr(field, "metadata", ())])
    if origin is Literal:
        names = [argument or "''" for argument in arguments]
        return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
    if origin in (list, tuple):
        return "a list of names" if arguments[0] is str else f"a list, each {_words(arguments[0])}"
    if origin in (Union, types.UnionType):
        words = [_words(argument) for argument in arguments if argument is not type(None)]
        return (", or " if any("," in word for word in words) else " or ").join(words)
    return str(getattr(annotation, "__name__", annotation))


def _bound(item: object) -> str:
    match item:
        case Ge(ge=value):
            return f"at least {value:g}"
        case Gt(gt=value):
            return f"above {value:g}"
        case Le(le=value):
            return f"at most {value:g}"
        case Lt(lt=value):
            return f"below {value:g}"
    return ""
