"""Typed settings: what a field accepts, in words, and the errors for values that do not fit."""

from __future__ import annotations

import json
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from sparse_core.errors import ConfigError, SparseCoreError, listed, nearest

_SCALARS = {float: "a number", int: "a whole number", bool: "true or false", str: "a text", dict: "a JSON object"}
_Model = TypeVar("_Model", bound=BaseModel)


class Options(BaseModel):
    """Named values that a user gives: no other names, no NaN or infinity, and no boolean in place of a number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    @field_validator("*", mode="before")
    @classmethod
    def _no_boolean_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and not takes_booleans(annotation):  # pydantic would read true as 1
            raise ValueError
        return value


def _mapping(value: Any) -> Any:
    if not isinstance(value, str):
        return {} if value is None else value
    return json.loads(value) if value.strip() else {}  # a JSONDecodeError is a ValueError


JsonObject = Annotated[dict[str, Any], BeforeValidator(_mapping)]
"""A mapping, also as the text of a JSON object; an empty text is an empty mapping."""


def _json_text(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, Mapping) else value


JsonText = Annotated[str, BeforeValidator(_json_text)]
"""A text, which a mapping becomes as JSON."""


def _joined(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


NameList = Annotated[str, BeforeValidator(_joined)]
"""Names separated by commas, also as a list."""


def validated(
    model: type[_Model], values: Mapping[str, Any], error: type[SparseCoreError] = ConfigError, inside: str = ""
) -> _Model:
    """An instance of `model` with the values that a user gave.

    Args:
        model: the fields and what each accepts.
        values: by name of the field.
        error: class of the errors.
        inside: name of the setting that holds the values; empty where each value is a setting of its own.

    Raises:
        SparseCoreError: of class `error`; a name is unknown, a required value is missing, or a value does not fit. Its
            setting is the field's name, after `inside` and a dot unless `inside` is empty.
    """
    prefix = f"{inside}." if inside else ""
    for name in values:
        if name not in model.model_fields:
            raise error(
                f"{prefix}{name}",
                "unknown setting",
                accepted=f"one of {listed(model.model_fields)}",
                fix=nearest(name, model.model_fields),
            )
    try:
        return model.model_validate(dict(values))
    except ValidationError as failure:
        raise misfit(model, failure, error).renamed(lambda name: f"{prefix}{name}") from None


def misfit(
    model: type[BaseModel], failure: ValidationError, error: type[SparseCoreError] = ConfigError
) -> SparseCoreError:
    """The first of pydantic's complaints about values of `model`, as an error of ours.

    A SparseCoreError that a validator of the model has raised is that error.
    """
    first = failure.errors(include_url=False)[0]
    raised = first.get("ctx", {}).get("error")
    if isinstance(raised, SparseCoreError):
        return raised
    name, fields = str(first["loc"][0]), model.model_fields
    inner = fields[name].annotation
    if first["type"] == "missing" and len(first["loc"]) == 1:
        return error(name, "is required and not set", fix=f"give {accepted(fields[name])}")
    if len(first["loc"]) > 1 and isinstance(inner, type) and issubclass(inner, Options):
        nested = str(first["loc"][1])
        if first["type"] == "extra_forbidden":
            return error(
                f"{name}.{nested}",
                "unknown setting",
                accepted=f"one of {listed(inner.model_fields)}",
                fix=nearest(nested, inner.model_fields),
            )
        return error(f"{name}.{nested}", accepted=accepted(inner.model_fields[nested]), got=first["input"])
    return error(name, accepted=accepted(fields[name]), got=first["input"])


def json_object(value: str | Mapping[str, Any] | None, example: str) -> dict[str, Any]:
    """The mapping that a user gave as such or as the text of a JSON object; nothing and an empty text are empty.

    Args:
        value: what the user gave.
        example: an accepted text, such as '{"doc_stride": 64}'.

    Raises:
        ConfigError: the value is no mapping; its setting is "value", which the caller renames.
    """
    if isinstance(value, Mapping):
        return dict(value)
    if value is None or not value.strip():
        return {}
    try:
        values = json.loads(value)
    except ValueError:
        values = None
    if not isinstance(values, dict):
        raise ConfigError("value", accepted=f"a JSON object such as {example}", got=value)
    return values


def accepted(field: FieldInfo) -> str:
    """The values that `field` accepts, such as "a number, at least 0 and below 1"."""
    return _bounded(field.annotation, field.metadata)


def takes_booleans(annotation: Any) -> bool:
    """Whether a boolean is among the values of `annotation`."""
    return annotation is bool or any(takes_booleans(argument) for argument in get_args(annotation))


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
    if origin is dict or (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return "a JSON object"
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
