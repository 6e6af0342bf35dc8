"""What a loaded recipe answers, and that a saved recipe comes back equal."""

from __future__ import annotations

from typing import Any

import pytest

from sparse_core.errors import RecipeError
from sparse_core.modifiers.base import Modifier
from sparse_core.modifiers.learning_rate import LearningRateFunctionModifier, SetLearningRateModifier
from sparse_core.modifiers.pruning.magnitude import GMPruningModifier, MagnitudePruningModifier
from sparse_core.recipe import Recipe, builtin_recipes, load_recipe, require_gradual_pruning, require_pruning
from tests.refusals import refused


def of_type(recipe: Recipe, cls: type[Modifier]) -> tuple[Any, ...]:
    return tuple(modifier for modifier in recipe.modifiers if isinstance(modifier, cls))


def recipe_of(*items: str) -> Recipe:
    lines = "\n".join(f"  - !{item}" for item in ("EpochRangeModifier {start_epoch: 0, end_epoch: 10}", *items))
    return load_recipe(f"a_modifiers:\n{lines}\n")


def test_learning_rates_that_sparseml_was_seen_to_use() -> None:
    # A linear curve from 1.5e-4 to 0 over one epoch of four steps.
    recipe = load_recipe("dense/base", {"num_epochs": 1})
    rates = [recipe.learning_rate_at(step / 4) for step in range(4)]
    assert rates == pytest.approx([1.5e-4, 1.125e-4, 7.5e-5, 3.75e-5], rel=1e-12)


def test_the_learning_rate_that_began_last_is_in_force() -> None:
    constant = "SetLearningRateModifier {learning_rate: 0.5, start_epoch: 4, end_epoch: 6}"
    curve = "LearningRateFunctionModifier {start_epoch: 2, end_epoch: 10, lr_func: linear, init_lr: 0.8, final_lr: 0}"
    for recipe in (recipe_of(constant, curve), recipe_of(curve, constant)):
        assert recipe.learning_rate_at(1.0) is None
        assert recipe.learning_rate_at(3.0) == pytest.approx(0.7)
        assert recipe.learning_rate_at(5.0) == 0.5
        assert recipe.learning_rate_at(6.0) == pytest.approx(0.4)


def test_of_two_that_begin_together_the_later_item_is_in_force() -> None:
    items = [f"SetLearningRateModifier {{learning_rate: {rate}}}" for rate in (0.1, 0.2)]
    assert recipe_of(*items).learning_rate_at(0.0) == 0.2
    assert recipe_of(*reversed(items)).learning_rate_at(0.0) == 0.1


def test_a_curve_holds_its_end_until_the_next_one_begins() -> None:
    curve = (
        "LearningRateFunctionModifier {{start_epoch: {}, end_epoch: {}, lr_func: linear, init_lr: {}, final_lr: {}}}"
    )
    recipe = recipe_of(curve.format(6, 8, 0.4, 0.2), curve.format(0, 4, 0.8, 0.1))
    assert [recipe.learning_rate_at(epoch) for epoch in (0, 5, 6, 9)] == [0.8, 0.1, 0.4, 0.2]


def test_the_weight_decay_that_started_last_decides() -> None:
    early = "SetWeightDecayModifier {weight_decay: 0.1, end_epoch: 6}"
    late = "SetWeightDecayModifier {weight_decay: 0.2, start_epoch: 4, end_epoch: 5}"
    for recipe in (recipe_of(early, late), recipe_of(late, early)):
        assert recipe.sets_weight_decay
        assert [recipe.weight_decay_at(epoch) for epoch in (0.0, 4.0, 5.0, 6.0)] == [0.1, 0.2, 0.1, None]
    assert not recipe_of("DistillationModifier").sets_weight_decay


def test_what_a_recipe_claims_is_what_its_modifiers_claim_together() -> None:
    recipe = load_recipe("sparsify/gradual_quant")
    assert recipe.makes_zeros and recipe.prunes and recipe.needs_teacher and recipe.changes_model
    assert recipe.sets_learning_rate
    assert recipe.finished_at == recipe.quantization_start == 6.0
    assert recipe.teacher_output_keys(("logits",)) == ("logits",)
    transfer = load_recipe("sst2/pruned90_quant")
    assert transfer.prunes and not transfer.makes_zeros
    dense = load_recipe("dense/base")
    assert not (dense.prunes or dense.needs_teacher or dense.changes_model) and dense.finished_at == 0.0


def test_what_a_recipe_answers() -> None:
    recipe = load_recipe("sparsify/gradual_quant", '{"final_sparsity": 0.9}')
    assert recipe.num_epochs == 8.0
    assert recipe.quantization_start == 6.0
    (pruning,) = of_type(recipe, GMPruningModifier)
    assert isinstance(pruning, MagnitudePruningModifier)
    assert (pruning.init_sparsity, pruning.final_sparsity, pruning.end_epoch) == (0.0, 0.9, 3.0)
    assert of_type(recipe, SetLearningRateModifier) == ()
    assert recipe.variables["final_sparsity"] == 0.9
    assert load_recipe("dense/base").quantization_start is None


def test_recipes_are_equal_by_their_modifiers() -> None:
    recipe = load_recipe("dense/base")
    assert recipe == load_recipe("dense/base", {"num_epochs": 8})
    assert recipe != load_recipe("dense/base", {"num_epochs": 9})
    assert recipe != "dense/base"


@pytest.mark.parametrize("name", builtin_recipes())
def test_a_saved_recipe_comes_back_equal(name: str) -> None:
    recipe = load_recipe(name)
    saved = recipe.to_yaml()
    again = load_recipe(saved)
    assert again == recipe
    assert again.warnings == ()
    assert again.to_yaml() == saved


@pytest.mark.parametrize(
    "text", ["1e-4", "yes", "null", "13", "", "a: b", "re:.*[0-9]+", "é \\ ' \"", "- x", "#c", " pad "]
)
def test_texts_that_look_like_something_else_come_back_as_texts(text: str) -> None:
    recipe = Recipe(modifiers=(*recipe_of("ConstantPruningModifier {params: [x]}").modifiers,))
    pruning = recipe.modifiers[1].model_copy(update={"params": [text]})
    recipe = Recipe(modifiers=(recipe.modifiers[0], pruning))
    assert load_recipe(recipe.to_yaml()) == recipe


def test_a_modifier_without_fields_and_small_numbers_come_back() -> None:
    rate = (
        "LearningRateFunctionModifier {start_epoch: 0, end_epoch: 10, lr_func: cosine, init_lr: 1e-5, final_lr: 3e-11}"
    )
    recipe = recipe_of("DistillationModifier", rate)
    assert load_recipe(recipe.to_yaml()) == recipe
    assert of_type(recipe, LearningRateFunctionModifier)[0].final_lr == 3e-11


def test_a_recipe_that_never_prunes_is_refused() -> None:
    with refused(RecipeError, "recipe"):
        require_pruning(load_recipe("dense/base"))
    require_pruning(load_recipe("sst2/pruned90_quant"))
    require_pruning(load_recipe("sparsify/gradual_quant"))


def test_a_recipe_that_makes_no_zeros_is_refused() -> None:
    with refused(RecipeError, "recipe"):
        require_gradual_pruning(load_recipe("sst2/pruned90_quant"))
    require_gradual_pruning(load_recipe("sparsify/gradual_quant"))
