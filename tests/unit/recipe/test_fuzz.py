"""Mutated recipes: whatever the text, the outcome is a recipe or a RecipeError, in bounded time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from importlib import resources

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparse_core.errors import RecipeError
from sparse_core.recipe import Recipe, builtin_recipes, load_recipe, show_recipe, timeline_svg

# derandomize: the same mutations on every machine, so that a red run can be repeated.
FUZZ = settings(
    max_examples=600,
    derandomize=True,
    deadline=timedelta(seconds=5),
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TEXTS = [(resources.files("sparse_core.recipes") / f"{name}.yaml").read_text() for name in builtin_recipes()]
SCALARS = [
    "eval(9**9**9)", "eval(num_epochs)", "eval(a)", "eval(", "eval(__import__('os').system('true'))", "eval(1/0)",
    "eval(max(1, num_epochs))", "1e-4", "1e999", "-1", ".nan", "0x10", "1:30", "null", "~", "", "yes", "[]", "{}",
    "[a, [b, [c]]]", "{a: {b: c}}", "*num_epochs", "&num_epochs 3", "*missing", "&x [*x]", "!!python/name:os.system",
    "!!python/object/apply:os.system ['true']", "!!binary aGk=", "!!set {a, b}", "!!float 3", "!Thing {}", "2001-01-01",
    "'quoted'", '"\\x41"', "|\n  block", ">-\n  folded", "__ALL__", "re:[", "\x00", "\ud800", "é", "9" * 400, "- - - a",
    "[" * 60, "? a", "@a", "`a", "%TAG ! tag:yaml.org,2002:python/", "<<: *num_epochs", "---", "...", "+++",
]  # fmt: skip
NAMES = [
    "!EpochRangeModifier", "!QuantizationModifier", "!MovementPruningModifier", "!pytorch.ConstantPruningModifier",
    "!X", "!", "!!map", "training_modifiers", "stage", "num_epochs", "init_lr", "params", "start_epoch", "<<",
]  # fmt: skip

Mutation = Callable[[str, random.Random], str]


def change_characters(text: str, rng: random.Random) -> str:
    position = rng.randrange(len(text) + 1)
    inserted = "".join(
        chr(rng.choice([rng.randrange(32, 127), rng.randrange(0x3000)])) for _ in range(rng.randrange(4))
    )
    return text[:position] + inserted + text[position + rng.randrange(6) :]


def move_line(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    line = lines.pop(rng.randrange(len(lines)))
    for _ in range(rng.randrange(3)):
        lines.insert(rng.randrange(len(lines) + 1), line)
    return "\n".join(lines)


def indent_line(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    lines[at] = rng.choice(["", " ", "  ", "\t", "- ", "    ", "? "]) + lines[at].lstrip(rng.choice(["", " ", " -"]))
    return "\n".join(lines)


def change_value(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    with_value = [number for number, line in enumerate(lines) if ":" in line and not line.lstrip().startswith("#")]
    if not with_value:
        return text
    at = rng.choice(with_value)
    lines[at] = f"{lines[at].partition(':')[0]}: {rng.choice(SCALARS)}"
    return "\n".join(lines)


def swap_tokens(text: str, rng: random.Random) -> str:
    tokens = text.split(" ")
    a, b = rng.randrange(len(tokens)), rng.randrange(len(tokens))
    tokens[a], tokens[b] = tokens[b], tokens[a]
    return " ".join(tokens)


def change_name(text: str, rng: random.Random) -> str:
    tokens = text.split()
    return text.replace(rng.choice(tokens), rng.choice(NAMES + SCALARS), rng.choice([1, -1])) if tokens else text


def nest(text: str, rng: random.Random) -> str:
    depth = rng.choice([2, 15, 25, 2000])
    return text + f"\ndeep: {rng.choice(['[', '{a: ', '- ', '!x [', '&a ['])}" * depth + "\n"


def multiply_aliases(text: str, rng: random.Random) -> str:
    width = rng.choice([2, 9])
    names = [f"v{number}" for number in range(rng.choice([3, 12]))]
    lines = [f"{names[0]}: &{names[0]} {rng.choice(['[x, y]', '3', '{a: 1}'])}"]
    for old, new in zip(names, names[1:], strict=False):
        reference = rng.choice([f"*{old}", f"eval({old})"])
        lines.append(f"{new}: &{new} [{', '.join([reference] * width)}]")
    return "\n".join(lines) + "\n" + text


MUTATIONS: list[Mutation] = [
    change_characters, move_line, indent_line, change_value, swap_tokens, change_name, nest, multiply_aliases,
]  # fmt: skip


def load_or_refuse(text: str, recipe_args: object = None) -> Recipe | None:
    """The recipe, or None after a RecipeError with a proper message; anything else fails the test."""
    try:
        recipe = load_recipe(text, recipe_args)  # type: ignore[arg-type]
    except RecipeError as error:
        assert 10 < len(str(error)) < 3000
        return None
    assert recipe.num_epochs > 0
    return recipe


@pytest.mark.slow
@FUZZ
@given(
    st.sampled_from(TEXTS),
    st.lists(st.tuples(st.sampled_from(MUTATIONS), st.integers(0, 2**32)), min_size=1, max_size=4),
)
def test_mutated_built_ins(text: str, mutations: list[tuple[Mutation, int]]) -> None:
    for mutate, seed in mutations:
        text = mutate(text, random.Random(seed))
    recipe = load_or_refuse(text + "\n")
    if recipe is not None:
        assert load_recipe(recipe.to_yaml()) == recipe
        assert show_recipe(recipe)
        assert timeline_svg(recipe)


@pytest.mark.slow
@FUZZ
@given(st.text(max_size=300))
def test_any_text(text: str) -> None:
    load_or_refuse(text + "\n")


@pytest.mark.slow
@FUZZ
@given(st.text(alphabet="0123456789+-*/%(). eabinmxtr,_'\"[]", max_size=60))
def test_any_expression(expression: str) -> None:
    text = f"a: 3\nb: eval({expression})\n"
    load_or_refuse(text + "x_modifiers:\n  - !EpochRangeModifier {start_epoch: 0, end_epoch: 2}\n")


ARGUMENTS = st.one_of(
    st.dictionaries(st.sampled_from(["num_epochs", "init_lr", "final_lr", "x"]), st.sampled_from(SCALARS), max_size=3),
    st.text(max_size=40),
    st.sampled_from(["{", "[]", "null", '{"num_epochs": [1]}', "num_epochs=3", "a=b=c", '"x"', "{" * 3000]),
    st.dictionaries(st.sampled_from(["num_epochs", "init_lr"]), st.one_of(st.floats(), st.integers(), st.none())),
)


@pytest.mark.slow
@FUZZ
@given(st.sampled_from(builtin_recipes()), ARGUMENTS, st.booleans())
def test_any_recipe_args(name: str, recipe_args: object, as_json: bool) -> None:
    load_or_refuse(name, json.dumps(recipe_args) if as_json else recipe_args)


def test_a_mutated_recipe_is_often_still_one() -> None:
    """Guards the fuzzing itself: mutations that break everything would test the YAML parser only."""
    rng = random.Random(0)
    outcomes = [load_or_refuse(rng.choice(MUTATIONS)(rng.choice(TEXTS), rng) + "\n") for _ in range(100)]
    assert 15 <= sum(outcome is not None for outcome in outcomes) <= 85


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize("place", ["variable", "field", "item", "group"])
def test_every_odd_scalar_in_every_place(scalar: str, place: str) -> None:
    values = dict.fromkeys(["variable", "field"], "1") | {"item": "!DistillationModifier {}", "group": "[]"}
    values[place] = scalar
    load_or_refuse(
        "num_epochs: &num_epochs 3\n"
        f"a: {values['variable']}\n"
        f"b_modifiers:\n  - !EpochRangeModifier {{start_epoch: 0, end_epoch: 3}}\n  - {values['item']}\n"
        f"  - !ConstantPruningModifier\n    params: {values['field']}\n"
        f"c_modifiers: {values['group']}\n"
    )
