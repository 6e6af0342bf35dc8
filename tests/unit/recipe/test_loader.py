"""Recipes as SparseML's users wrote them, and one clear sentence for each that cannot be read."""

from __future__ import annotations

import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from sparse_core.errors import RecipeError
from sparse_core.modifiers.base import Modifier
from sparse_core.modifiers.learning_rate import LearningRateFunctionModifier
from sparse_core.modifiers.pruning.constant import ConstantPruningModifier
from sparse_core.modifiers.quantization.modifier import QuantizationModifier
from sparse_core.recipe import Recipe, load_recipe
from tests.refusals import refused

EPOCHS = "- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 4.0}"


def of_type(recipe: Recipe, cls: type[Modifier]) -> tuple[Any, ...]:
    return tuple(modifier for modifier in recipe.modifiers if isinstance(modifier, cls))


def load(text: str, recipe_args: object = None) -> Recipe:
    return load_recipe(dedent(text), recipe_args)  # type: ignore[arg-type]


def with_item(item: str) -> str:
    return f"training_modifiers:\n  {EPOCHS}\nother_modifiers:\n{item}\n"


SPARSEML_SST2 = """\
version: 1.1.0

# General Hyperparams
num_epochs: &num_epochs 13
init_lr: 1.5e-4
final_lr: 0
qat_start_epoch: &qat_start_epoch 8.0
observer_epoch: &observer_epoch 12.0
quantize_embeddings: &quantize_embeddings 1
distill_hardness: &distill_hardness 1.0

training_modifiers:
  - !EpochRangeModifier
      end_epoch: eval(num_epochs)
      start_epoch: 0.0
  - !LearningRateFunctionModifier
    start_epoch: 0
    end_epoch: *num_epochs
    lr_func: linear
    init_lr: eval(init_lr)
    final_lr: eval(final_lr)

quantization_modifiers:
  - !pytorch.QuantizationModifier
      start_epoch: *qat_start_epoch
      disable_quantization_observer_epoch: eval(observer_epoch)
      freeze_bn_stats_epoch: *observer_epoch
      quantize_embeddings: eval(quantize_embeddings)
      quantize_linear_activations: 0
      exclude_module_types: ['LayerNorm', 'Tanh']
      submodules:
        - bert.embeddings
        - bert.encoder

constant_modifiers:
- !ConstantPruningModifier
  start_epoch: 0.0
  params: __ALL_PRUNABLE__

distillation_modifiers:
  - !DistillationModifier
     hardness: eval(distill_hardness)
     distill_output_keys: [logits]
"""


def test_a_sparseml_recipe_is_read_as_it_is() -> None:
    recipe = load(SPARSEML_SST2)
    assert [type(modifier).__name__ for modifier in recipe.modifiers] == [
        "EpochRangeModifier",
        "LearningRateFunctionModifier",
        "QuantizationModifier",
        "ConstantPruningModifier",
        "DistillationModifier",
    ]
    (curve,) = of_type(recipe, LearningRateFunctionModifier)
    assert (curve.end_epoch, curve.init_lr, curve.final_lr) == (13.0, 1.5e-4, 0.0)
    (quantization,) = of_type(recipe, QuantizationModifier)
    assert quantization.quantize_embeddings is True
    assert quantization.quantize_linear_activations is False
    assert quantization.submodules == ["bert.embeddings", "bert.encoder"]
    assert quantization.freeze_bn_stats_epoch == 12.0
    assert recipe.num_epochs == 13.0
    assert recipe.quantization_start == 8.0
    assert recipe.warnings == ()


def test_anchor_and_eval_agree_after_an_override() -> None:
    recipe = load(SPARSEML_SST2, {"num_epochs": 9, "qat_start_epoch": 5, "observer_epoch": 7})
    (curve,) = of_type(recipe, LearningRateFunctionModifier)
    (quantization,) = of_type(recipe, QuantizationModifier)
    assert (recipe.num_epochs, curve.end_epoch) == (9.0, 9.0)
    assert (quantization.start_epoch, quantization.freeze_bn_stats_epoch) == (5.0, 7.0)


@pytest.mark.parametrize(
    "item",
    [
        "  - !ConstantPruningModifier\n    params: __ALL__",
        "  - !ConstantPruningModifier\n        params: __ALL__",
        "- !ConstantPruningModifier\n  params: __ALL__",
        "  - !ConstantPruningModifier {params: __ALL__}",
        "  - !pytorch.ConstantPruningModifier\n    params: [__ALL__]",
        "  - !ConstantPruningModifier\n    # a comment\n\n    params:\n    - __ALL__",
    ],
)
def test_indents_and_spellings_of_an_item(item: str) -> None:
    (pruning,) = of_type(load(with_item(item)), ConstantPruningModifier)
    assert pruning.params in ("__ALL__", ["__ALL__"])


def test_an_item_without_fields() -> None:
    assert len(load(with_item("  - !DistillationModifier")).modifiers) == 2


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e-4", 1e-4), ("1E-4", 1e-4), ("1.e-5", 1e-5), (".5", 0.5), ("0.001", 1e-3), ("1", 1.0), ("+5e-1", 0.5)],
)
def test_every_spelling_of_a_number_is_one(text: str, number: float) -> None:
    recipe = load(f"lr: {text}\n{with_item('  - !SetLearningRateModifier {learning_rate: eval(lr)}')}")
    assert recipe.learning_rate_at(0.0) == number
    assert recipe.variables == {"lr": number}


def test_merge_keys_of_yaml() -> None:
    recipe = load(
        f"""\
        window: &window {{start_epoch: 1.0, end_epoch: 3.0}}
        a_modifiers:
          {EPOCHS}
          - !ConstantPruningModifier
            <<: *window
            end_epoch: 2.0
            params: __ALL__
        """
    )
    (pruning,) = of_type(recipe, ConstantPruningModifier)
    assert (pruning.start_epoch, pruning.end_epoch) == (1.0, 2.0)
    assert recipe.warnings == ()


def test_fields_at_sparseml_defaults_are_accepted_and_reported() -> None:
    item = "  - !QuantizationModifier\n    start_epoch: 1.0\n    reduce_range: false\n    activation_bits: 8"
    recipe = load(with_item(item))
    assert recipe.warnings == (
        "recipe text, line 6: QuantizationModifier.reduce_range has no effect: it stands at SparseML's default",
        "recipe text, line 7: QuantizationModifier.activation_bits has no effect: it stands at SparseML's default",
    )


def test_metadata_of_saved_recipes_is_passed_over() -> None:
    metadata = "__metadata__:\n  metadata: null\n  level: !!python/object:os.path {}\n"
    assert load(metadata + with_item("  []")).num_epochs == 4.0


@pytest.mark.parametrize(
    ("item", "setting", "line"),
    [
        ("  - !ConstantPruningModifer {params: __ALL__}", "ConstantPruningModifer", 4),
        ("  - !MovementPruningModifier {params: __ALL__}", "MovementPruningModifier", 4),
        ("  - !LayerThinningModifier {}", "LayerThinningModifier", 4),
        ("  - !ConstantPruningModifier\n    start_epoch: 0\n    param: __ALL__", "ConstantPruningModifier.param", 6),
        (
            "  - !QuantizationModifier\n    start_epoch: 1.0\n    activation_bits: 4",
            "QuantizationModifier.activation_bits",
            6,
        ),
        ("  - !ConstantPruningModifier", "ConstantPruningModifier.params", 4),
        ("  - !DistillationModifier\n    hardness: 1.5", "DistillationModifier.hardness", 5),
        ("  - !DistillationModifier {hardness: yes}", "DistillationModifier.hardness", 4),
        ("  - !DistillationModifier {hardness: .nan}", "DistillationModifier.hardness", 4),
        ("  - !DistillationModifier {hardness: 'nan'}", "DistillationModifier.hardness", 4),
        ("  - !DistillationModifier {temperature: 0}", "DistillationModifier.temperature", 4),
        ("  - !DistillationModifier {distill_output_keys: logits}", "DistillationModifier.distill_output_keys", 4),
        (
            "  - !GMPruningModifier {init_sparsity: 0, final_sparsity: {0.5: [a]}, start_epoch: 0, end_epoch: 1, "
            "params: __ALL__}",
            "GMPruningModifier.final_sparsity",
            4,
        ),
        (
            "  - !LearningRateFunctionModifier {start_epoch: 0, end_epoch: 2, init_lr: 1, final_lr: 0, lr_func: step}",
            "LearningRateFunctionModifier.lr_func",
            4,
        ),
        (
            "  - !ConstantPruningModifier\n    params: __ALL__\n    start_epoch: 3.0\n    end_epoch: 2.0",
            "ConstantPruningModifier.end_epoch",
            7,
        ),
        ("  - !QuantizationModifier\n    start_epoch: 4.0", "QuantizationModifier.start_epoch", 5),
        (
            "  - !QuantizationModifier\n    start_epoch: 2.0\n    disable_quantization_observer_epoch: 1.0",
            "QuantizationModifier.disable_quantization_observer_epoch",
            6,
        ),
        (
            "  - !QuantizationModifier {start_epoch: 1.0}\n  - !QuantizationModifier {start_epoch: 2.0}",
            "QuantizationModifier",
            5,
        ),
        ("  - !ConstantPruningModifier [a, b]", "ConstantPruningModifier", 4),
        ("  - !ConstantPruningModifier params", "ConstantPruningModifier", 4),
        ("  - ConstantPruningModifier", "", 4),
        ("  - params: __ALL__", "", 4),
        ("  - !!python/object/apply:os.system ['true']", "", 4),
        ("  - !<tag:x> {a: 1}", "", 4),
        ("  - !ConstantPruningModifier {params: !!python/name:os.system }", "", 4),
        ("  - !ConstantPruningModifier {params: [!Thing {}]}", "", 4),
        ("  - !ConstantPruningModifier {params: a, params: b}", "params", 4),
        ("  - !ConstantPruningModifier {[a]: b}", "", 4),
        ("  - !ConstantPruningModifier {<<: 3}", "<<", 4),
        ("  - !ConstantPruningModifier {start_epoch: 1e16, params: a}", "", 4),
    ],
)
def test_bad_items(item: str, setting: str, line: int) -> None:
    with refused(RecipeError, setting, line):
        load(with_item(item))


def test_an_error_reads_as_one_sentence_with_file_line_and_field() -> None:
    with pytest.raises(RecipeError) as caught:
        load(with_item("  - !DistillationModifier\n    hardness: 1.5"))
    assert str(caught.value) == (
        "recipe text, line 5: DistillationModifier.hardness: expected a number, at least 0 and at most 1, got 1.5"
    )


@pytest.mark.parametrize(
    ("text", "setting", "line"),
    [
        ("a: 1\nb: [2\n", "", 3),
        ("a: 1\n\tb: 2\n", "", 2),
        ("a: \x00\n", "", None),
        ("a: 1\n---\nb: 2\n", "", 2),
        ("\n", "", None),
        ("- a\n- b\n", "", None),
        ("num_epochs: 3\n", "", None),
        ("a_modifiers: []\n", "", None),
        ("a_modifiers:\nb: 1\n", "a_modifiers", 1),
        ("num_modifiers: 3\n", "num_modifiers", 1),
        ("a_modifiers: !X [1]\n", "a_modifiers", 1),
        ("a: 1\na: 2\n", "a", 2),
        ("a_modifiers:\n  - !DistillationModifier {hardness: 1.0}\n", "", None),
        (
            "first_stage:\n  training_modifiers:\n    - !EpochRangeModifier {start_epoch: 0, end_epoch: 1}\n",
            "first_stage",
            1,
        ),
        ("a: &a [*a]\nb_modifiers: []\n" + f"t_modifiers:\n  {EPOCHS}\n", "a", 1),
    ],
)
def test_bad_texts(text: str, setting: str, line: int | None) -> None:
    with refused(RecipeError, setting, line):
        load(text)


BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
NESTED_BOMB = (
    "v:\n  - &a [x, x, x, x, x, x, x, x, x, x]\n"
    + "".join(f"  - &{n} [{', '.join([f'*{o}'] * 10)}]\n" for o, n in zip("abcdefgh", "bcdefghi", strict=True))
    + f"t_modifiers:\n  {EPOCHS}\n"
)
MERGE_BOMB = (
    "v:\n  - &a {x: 1}\n"
    + "".join(f"  - &{n} {{<<: [{', '.join([f'*{o}'] * 10)}]}}\n" for o, n in zip("abcdefgh", "bcdefghi", strict=True))
    + f"t_modifiers:\n  {EPOCHS}\n"
)
EVAL_BOMB = (
    "a: [x, x, x]\n"
    + "".join(f"{n}: [{', '.join([f'eval({o})'] * 10)}]\n" for o, n in zip("abcdefgh", "bcdefghi", strict=True))
    + f"t_modifiers:\n  {EPOCHS}\n"
)


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        (BOMB + f"t_modifiers:\n  {EPOCHS}\n", ""),
        (NESTED_BOMB, ""),
        (MERGE_BOMB, ""),
        (EVAL_BOMB, ""),
        ("v: &v\n  x: *v\n" + f"t_modifiers:\n  {EPOCHS}\n", "v"),
        ("a: " + "[" * 5000 + "\n", ""),
        ("- " * 5000 + "\n", ""),
        ("a: " + "x" * 100_001 + "\n", ""),
        ("a: 1\n" * 3_000, "a"),
        ("a: eval(9**9**9)\n" + f"t_modifiers:\n  {EPOCHS}\n", ""),
        ("a: " + "9" * 5000 + "\n" + f"t_modifiers:\n  {EPOCHS}\n", ""),
    ],
)
def test_no_text_hangs_the_loader(text: str, setting: str) -> None:
    started = time.perf_counter()
    with refused(RecipeError, setting):
        load(text)
    assert time.perf_counter() - started < 5.0


def test_nothing_is_built_or_called_by_a_tag(tmp_path: Path) -> None:
    target = tmp_path / "made"
    tag = f"!!python/object/apply:pathlib.Path.mkdir [!!python/object/apply:pathlib.Path ['{target}']]"
    with refused(RecipeError, "", 1):
        load(f"a: {tag}\nt_modifiers:\n  {EPOCHS}\n")
    assert not target.exists()
