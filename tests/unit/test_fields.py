"""What a field accepts, in words, and the errors for values that do not fit."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError, field_validator

from sparse_core.errors import ConfigError, RecipeError, Setting
from sparse_core.fields import Options, accepted, json_object, misfit, takes_booleans, validated

Share = Annotated[float, Field(ge=0, lt=1)]


class Inner(Options):
    ratio: Share = 0.5


class Outer(Options):
    seed: Annotated[int, Field(ge=0)]
    share: Share = 0.1
    mode: Literal["fast", "exact"] = "fast"
    use_teacher: bool = False
    names: list[str] = []
    sizes: list[int] = []
    limit: int | None = None
    kind: int | str = 0
    minus: Annotated[int, Field(ge=-1, le=-1)] = -1
    inner: Inner = Inner()
    extra: dict[str, Any] = {}

    @field_validator("kind")
    @classmethod
    def _check_kind(cls, value):
        if value == "bad":
            raise ConfigError("kind", ("does not go with ", Setting("seed")), fix="leave it out")
        return value


def test_values_that_fit_are_converted():
    options = validated(Outer, {"seed": "3", "share": 0, "inner": {"ratio": 0.25}})
    assert (options.seed, options.share, options.inner.ratio) == (3, 0.0, 0.25)


@pytest.mark.parametrize(
    ("values", "setting", "expected"),
    [
        ({}, "seed", ""),
        ({"seed": -1}, "seed", "a whole number, at least 0"),
        ({"seed": True}, "seed", "a whole number, at least 0"),
        ({"seed": 1, "share": 1}, "share", "a number, at least 0 and below 1"),
        ({"seed": 1, "share": float("nan")}, "share", "a number, at least 0 and below 1"),
        ({"seed": 1, "mode": "slow"}, "mode", "one of fast, exact"),
        ({"seed": 1, "use_teacher": "perhaps"}, "use_teacher", "true or false"),
        ({"seed": 1, "names": 3}, "names", "a list of names"),
        ({"seed": 1, "sizes": ["a"]}, "sizes", "a list, each a whole number"),
        ({"seed": 1, "limit": "a"}, "limit", "a whole number"),
        ({"seed": 1, "kind": []}, "kind", "a whole number or a text"),
        ({"seed": 1, "minus": 3}, "minus", "-1"),
        ({"seed": 1, "inner": {"ratio": 2}}, "inner.ratio", "a number, at least 0 and below 1"),
        ({"seed": 1, "inner": {"ratoi": 0}}, "inner.ratoi", "one of ratio"),
        ({"seed": 1, "inner": 3}, "inner", "a JSON object"),
        ({"seed": 1, "extra": 3}, "extra", "a JSON object"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_what_is_accepted(values, setting, expected):
    with pytest.raises(ConfigError) as caught:
        validated(Outer, values)
    assert (caught.value.setting, caught.value.accepted) == (setting, expected)


def test_an_unknown_name_is_refused_with_the_nearest_one():
    with pytest.raises(RecipeError) as caught:
        validated(Outer, {"sede": 1}, RecipeError, inside="options")
    assert caught.value.setting == "options.sede"
    assert caught.value.fix == "did you mean 'seed'?"


def test_settings_inside_a_mapping_are_named_with_it():
    with pytest.raises(ConfigError) as caught:
        validated(Outer, {"seed": -1}, inside="options")
    assert (caught.value.setting, caught.value.got) == ("options.seed", -1)


def test_an_error_of_a_validator_is_handed_on():
    with pytest.raises(ConfigError) as caught:
        validated(Outer, {"seed": 1, "kind": "bad"}, inside="options")
    assert (caught.value.setting, caught.value.fix) == ("options.kind", "leave it out")


def test_pydantics_complaint_becomes_an_error_of_ours():
    class Plain(BaseModel):
        size: int

    with pytest.raises(ValidationError) as caught:
        Plain.model_validate({"size": "a"})
    error = misfit(Plain, caught.value, RecipeError)
    assert (type(error), error.setting, error.accepted, error.got) == (RecipeError, "size", "a whole number", "a")


@pytest.mark.parametrize(
    ("value", "result"), [(None, {}), ("", {}), ("  ", {}), ({"a": 1}, {"a": 1}), ('{"a": 1}', {"a": 1})]
)
def test_a_json_object_is_a_mapping_or_its_text(value, result):
    assert json_object(value, '{"doc_stride": 64}') == result


@pytest.mark.parametrize("value", ["{", "[1]", "3"])
def test_other_json_is_refused(value):
    with pytest.raises(ConfigError) as caught:
        json_object(value, '{"doc_stride": 64}')
    assert (caught.value.setting, caught.value.got) == ("value", value)


def test_booleans_are_known_in_unions():
    fields = Outer.model_fields
    assert takes_booleans(fields["use_teacher"].annotation) and takes_booleans(bool | None)
    assert not takes_booleans(fields["seed"].annotation)
    assert accepted(fields["use_teacher"]) == "true or false"
