"""Settings without effect are reported, each with its line; what has an effect is not."""

from __future__ import annotations

import pytest

from sparse_core.recipe import load_recipe

EPOCHS = "  - !EpochRangeModifier {start_epoch: 0, end_epoch: 10}"
CURVE = "  - !LearningRateFunctionModifier {{start_epoch: {}, end_epoch: {}, lr_func: linear, init_lr: 1, final_lr: 0}}"


def warnings(*items: str, head: str = "") -> tuple[str, ...]:
    return load_recipe(f"{head}a_modifiers:\n{EPOCHS}\n" + "\n".join(items) + "\n").warnings


@pytest.mark.parametrize(
    ("item", "warning"),
    [
        (
            "  - !ConstantPruningModifier\n    params: __ALL__\n    update_frequency: 0.1",
            "line 5: ConstantPruningModifier.update_frequency has no effect: the mask never changes",
        ),
        (
            "  - !SetWeightDecayModifier\n    weight_decay: 0.1\n    constant_logging: true",
            "line 5: SetWeightDecayModifier.constant_logging has no effect: the trainer logs what it needs itself",
        ),
        (
            "  - !LearningRateFunctionModifier\n    {start_epoch: 0, end_epoch: 10, lr_func: cosine, init_lr: 1, "
            "final_lr: 0, cycle_epochs: 2}",
            "line 4: LearningRateFunctionModifier.cycle_epochs has no effect: lr_func is cosine, only cyclic_linear "
            "has cycles",
        ),
        (
            "  - !DistillationModifier\n    start_epoch: 10",
            "line 4: DistillationModifier.start_epoch has no effect: it is not below the recipe's last epoch, 10",
        ),
        (
            "  - !DistillationModifier\n    start_epoch: 5\n    end_epoch: 5",
            "line 5: DistillationModifier.end_epoch has no effect: it is the epoch at which the modifier starts",
        ),
        (
            "  - !QuantizationModifier\n    start_epoch: 5\n    disable_quantization_observer_epoch: 10",
            "line 5: QuantizationModifier.disable_quantization_observer_epoch has no effect: 10 is not below the "
            "recipe's last epoch, 10",
        ),
        (
            "  - !QuantizationModifier\n    start_epoch: 5\n    freeze_bn_stats_epoch: 11",
            "line 5: QuantizationModifier.freeze_bn_stats_epoch has no effect: 11 is not below the recipe's last "
            "epoch, 10",
        ),
        (
            "  - !EpochRangeModifier\n    start_epoch: 1\n    end_epoch: 10",
            "line 4: EpochRangeModifier.start_epoch has no effect: training starts at epoch 0",
        ),
    ],
)
def test_each_setting_without_effect(item: str, warning: str) -> None:
    assert warnings(item) == (f"recipe text, {warning}",)


def test_an_epoch_range_that_another_modifier_outlasts() -> None:
    assert warnings(CURVE.format(0, 13)) == (
        "recipe text, line 2: EpochRangeModifier.end_epoch has no effect: another modifier ends later, at epoch 13",
    )


@pytest.mark.parametrize(
    "items",
    [
        (CURVE.format(0, 10),),
        (CURVE.format(0, 5), CURVE.format(5, 10)),
        (CURVE.format(5, 10), CURVE.format(0, 5)),
        ("  - !SetLearningRateModifier {learning_rate: 0.1}", CURVE.format(5, 10)),
        ("  - !GMPruningModifier {init_sparsity: 0, final_sparsity: 0.5, start_epoch: 3, end_epoch: 3, params: a}",),
        ("  - !QuantizationModifier {start_epoch: 5, disable_quantization_observer_epoch: 9}",),
    ],
)
def test_settings_with_an_effect_are_not_reported(items: tuple[str, ...]) -> None:
    assert warnings(*items) == ()


@pytest.mark.parametrize(
    ("items", "line"),
    [
        ((CURVE.format(0, 10), CURVE.format(0, 10)), 3),
        ((CURVE.format(0, 10), CURVE.format(0, 5)), 3),
        (("  - !SetLearningRateModifier {learning_rate: 0.1}", CURVE.format(0, 5)), 3),
    ],
)
def test_a_hidden_learning_rate(items: tuple[str, ...], line: int) -> None:
    (warning,) = warnings(*items)
    assert warning.startswith(f"recipe text, line {line}: ")
    assert "has no effect: at every epoch a learning-rate modifier decides" in warning


def test_variables_that_no_modifier_uses() -> None:
    head = "version: 1.1.0\nused: 1\nleft: eval(over)\nover: 2\n"
    item = "  - !DistillationModifier {hardness: eval(used)}"
    assert warnings(item, head=head) == (
        "recipe text, line 3: variable 'left' has no effect: no modifier uses it",
        "recipe text, line 4: variable 'over' has no effect: no modifier uses it",
    )


def test_an_override_of_a_variable_that_no_modifier_uses() -> None:
    (warning,) = load_recipe(f"left: 2\na_modifiers:\n{EPOCHS}\n", {"left": 3}).warnings
    assert warning.endswith("no modifier uses it, so its value in recipe_args changes nothing")
