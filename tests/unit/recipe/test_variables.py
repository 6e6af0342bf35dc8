"""Root variables: references, overrides, aliases, cycles."""

from __future__ import annotations

import pytest

from sparse_core.errors import RecipeError
from sparse_core.recipe import Recipe, load_recipe

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
    ("variables", "message"),
    [
        (
            "end: eval(edn)\nend_epoch: 2",
            r"line 1: variable 'edn' is not defined .*: end, end_epoch; did you mean 'end'\?",
        ),
        ("a: eval(b)\nb: eval(a)\nend: eval(a)", "variables refer to one another in a circle: end -> a -> b -> a"),
        ("end: eval(end + 1)", "line 1: variables refer to one another in a circle: end -> end"),
        ("end: 1 + eval(2)", r"line 1: eval\(...\) must be the whole value, found '1 \+ eval\(2\)'"),
        ("end: eval(3", r"eval\(...\) must be the whole value"),
        ("a: x\nend: eval(a * 2)", "line 2: variable 'a' is 'x', but arithmetic needs a number"),
        ("end: eval(__import__)", "variable '__import__' is not defined"),
        ("end: 3\nunused: eval(nothing)", "line 2: variable 'nothing' is not defined"),
        ("end: x", "line 3: EpochRangeModifier.end_epoch: expected a number, above 0, got x"),
        (
            "end: eval(v0)\n" + "".join(f"v{n}: eval(v{n + 1})\n" for n in range(200)) + "v200: 1",
            "more than 50 variables refer to one another in a row",
        ),
        (
            "end: eval(v0)\n" + "".join(f"v{n}: eval({'max(' * 45}v{n + 1}{')' * 45})\n" for n in range(49)) + "v49: 1",
            "line [0-9]+: the expression and the variables in it are nested too deep",
        ),
        ("".join(f"w{n}: 1\n" for n in range(30)) + "end: eval(x)", r"defined are: w0, .*w19, \.\.\.$"),
    ],
)
def test_bad_variables(variables: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load(variables)


@pytest.mark.parametrize(
    ("recipe_args", "message"),
    [
        (
            {"ends": 4},
            r"recipe_args: 'ends' is not a variable at the root of recipe text; it has: end, table; did you ",
        ),
        ({"training_modifiers": 4}, "recipe_args: 'training_modifiers' is not a variable"),
        ({"table": 4}, "recipe_args: 'table' cannot be replaced, in recipe text it is a mapping"),
        ({"end": {"a": 1}}, "recipe_args: 'end' is of type dict; accepted are a number, text, true, false, or a list"),
        ({"end": [[1]]}, "recipe_args: 'end' is of type list"),
        ({"end": float("nan")}, "recipe_args: 'end' is beyond the largest accepted number"),
        ({"end": "1e400"}, "recipe_args: 'end' is beyond the largest accepted number"),
        ({"end": "eval(nothing)"}, "recipe_args: variable 'nothing' is not defined"),
        ({"end": "eval(1 / 0)"}, "recipe_args: '1 / 0' divides by zero"),
        ('{"end": Infinity}', "recipe_args: 'end' is beyond the largest accepted number"),
        ('{"end": 1, "end": 2}', "recipe_args: 'end' is given twice"),
        ("end=1,end=2", "recipe_args: 'end' is given twice"),
        ("{'end': 1}", "is not JSON .*; names and texts need double quotes"),
        ("[1, 2]", "recipe_args: expected names and values such as .* found list"),
        ([("end", 1)], "recipe_args: expected names and values such as .* found list"),
        ("end", "recipe_args: 'end' is neither JSON such as .* nor name=value"),
        ("[" * 9000, "is not JSON"),
        ("x" * 10_001, "recipe_args: has 10001 characters, at most 10000"),
        ('{"end": ' + "9" * 5000 + "}", "recipe_args: "),
    ],
)
def test_bad_recipe_args(recipe_args: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        load("end: 3\ntable: {x: 1}", recipe_args)
