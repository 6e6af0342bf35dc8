"""Root variables: references, overrides, aliases, cycles."""

from __future__ import annotations

import pytest

from sparse_core.errors import Place, RecipeError
from sparse_core.recipe import Recipe, load_recipe
from tests.refusals import refused

GROUP = """
training_modifiers:
  - !EpochRangeModifier {start_epoch: 0.0, end_epoch: eval(end)}
"""


def load(variables: str, recipe_args: object = None) -> Recipe:
    return load_recipe(variables + GROUP, recipe_args)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("variables", "end"),
    [
        ("end: 3", 3),
        ("end: eval(half * 2)\nhalf: 2.5", 5),
        ("end: eval(a)\na: eval(b + 1)\nb: eval(c ** 2)\nc: 2", 5),
        ("a: &n 4\nend: *n", 4),
        ("end: 'eval(2 * 4)'", 8),
        ("end: '6'", 6),
        ("a: [1, 2]\nend: eval(max(3, 1))\nb: [eval(end)]", 3),
    ],
)
def test_variables_refer_to_one_another(variables: str, end: float) -> None:
    assert load(variables).num_epochs == end


@pytest.mark.parametrize(
    ("recipe_args", "end"),
    [
        ({"a": 6}, 7),
        ({"a": "eval(2 * 4)"}, 9),
        ({"a": "eval(b)"}, 3),
        ({"end": 1.5}, 1.5),
        ({"a": "1e1"}, 11),
        ('{"a": 6}', 7),
        ("a=6", 7),
        ("a=6, b=1", 7),
        ("a:6,b:1e-4", 7),
        ("b:1, a=eval(b)", 2),
        ("", 5),
        (None, 5),
        ({}, 5),
    ],
)
def test_overrides(recipe_args: object, end: float) -> None:
    assert load("a: 4\nb: 2\nend: eval(a + 1)", recipe_args).num_epochs == end


def test_aliases_follow_the_override_of_their_own_variable_only() -> None:
    variables = "a: &n 4\nb: *n\nend: eval(b)"
    assert load(variables).num_epochs == 4
    assert load(variables, {"a": 9}).num_epochs == 9
    assert load(variables, {"b": 7}).variables == {"a": 4, "b": 7, "end": 7}


def test_an_anchor_inside_a_modifier_is_no_variable() -> None:
    text = """
first_modifiers:
  - !EpochRangeModifier {start_epoch: 0.0, end_epoch: &n 4}
n: *n
second_modifiers:
  - !DistillationModifier {end_epoch: *n, hardness: eval(n / 10)}
"""
    assert load_recipe(text, {"n": 5}).num_epochs == 4


def test_a_list_variable_is_replaced_everywhere() -> None:
    text = """
kept: &kept [LayerNorm]
a_modifiers:
  - !EpochRangeModifier {start_epoch: 0.0, end_epoch: 3}
  - !QuantizationModifier
    start_epoch: 1
    exclude_module_types: *kept
    submodules: eval(kept)
"""
    modifier = load_recipe(text, '{"kept": ["Tanh", "GELU"]}').modifiers[1]
    assert modifier.exclude_module_types == modifier.submodules == ["Tanh", "GELU"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("variables", "setting", "line"),
    [
        ("end: eval(edn)\nend_epoch: 2", "edn", 1),
        ("a: eval(b)\nb: eval(a)\nend: eval(a)", "a", 2),
        ("end: eval(end + 1)", "end", 1),
        ("end: 1 + eval(2)", "", 1),
        ("end: eval(3", "", 1),
        ("a: x\nend: eval(a * 2)", "", 2),
        ("end: eval(__import__)", "__import__", 1),
        ("end: 3\nunused: eval(nothing)", "nothing", 2),
        ("end: x", "EpochRangeModifier.end_epoch", 3),
        ("end: eval(v0)\n" + "".join(f"v{n}: eval(v{n + 1})\n" for n in range(200)) + "v200: 1", "v49", 50),
        (
            "end: eval(v0)\n" + "".join(f"v{n}: eval({'max(' * 45}v{n + 1}{')' * 45})\n" for n in range(49)) + "v49: 1",
            "",
            None,
        ),
        ("".join(f"w{n}: 1\n" for n in range(30)) + "end: eval(x)", "x", 31),
    ],
)
def test_bad_variables(variables: str, setting: str, line: int | None) -> None:
    with refused(RecipeError, setting, line):
        load(variables)


@pytest.mark.parametrize(
    "recipe_args",
    [
        {"ends": 4},
        {"training_modifiers": 4},
        {"table": 4},
        {"end": {"a": 1}},
        {"end": [[1]]},
        {"end": float("nan")},
        {"end": "1e400"},
        '{"end": Infinity}',
        '{"end": 1, "end": 2}',
        "end=1,end=2",
        "{'end': 1}",
        "[1, 2]",
        [("end", 1)],
        "end",
        "[" * 9000,
        "x" * 10_001,
        '{"end": ' + "9" * 5000 + "}",
    ],
)
def test_bad_recipe_args(recipe_args: object) -> None:
    with refused(RecipeError, "recipe_args"):
        load("end: 3\ntable: {x: 1}", recipe_args)


@pytest.mark.parametrize(("expression", "setting"), [("eval(nothing)", "nothing"), ("eval(1 / 0)", "")])
def test_a_bad_expression_in_recipe_args_has_its_place_there(expression: str, setting: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load("end: 3", {"end": expression})
    assert (caught.value.setting, caught.value.place) == (setting, Place("recipe_args"))
