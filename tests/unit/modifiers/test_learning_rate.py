"""The three learning-rate curves against numbers worked out by hand."""

from __future__ import annotations

import pytest

from sparse_core.errors import RecipeError
from sparse_core.fields import validated
from sparse_core.modifiers.learning_rate import LearningRateFunctionModifier, SetLearningRateModifier
from tests.refusals import refused


def curve(lr_func: str, **changes: float) -> LearningRateFunctionModifier:
    fields = {"start_epoch": 1.0, "end_epoch": 5.0, "init_lr": 0.8, "final_lr": 0.4} | changes
    return LearningRateFunctionModifier(lr_func=lr_func, **fields)


def rates(modifier: LearningRateFunctionModifier, *epochs: float) -> list[float | None]:
    return [modifier.learning_rate_at(epoch) for epoch in epochs]


def test_linear() -> None:
    # Four epochs from 0.8 to 0.4 lose 0.1 each.
    assert rates(curve("linear"), 1.0, 2.0, 2.5, 4.0) == pytest.approx([0.8, 0.7, 0.65, 0.5])


def test_linear_over_four_steps_of_one_epoch() -> None:
    modifier = curve("linear", start_epoch=0.0, end_epoch=1.0, init_lr=1.5e-4, final_lr=0.0)
    assert rates(modifier, 0.0, 0.25, 0.5, 0.75) == pytest.approx([1.5e-4, 1.125e-4, 7.5e-5, 3.75e-5])


def test_cosine() -> None:
    # 0.4 + 0.2 (1 + cos(pi t)): cos is 1, 1/2, 0, -1/2 at t = 0, 1/3, 1/2, 2/3.
    modifier = curve("cosine", start_epoch=0.0, end_epoch=6.0)
    assert rates(modifier, 0.0, 2.0, 3.0, 4.0) == pytest.approx([0.8, 0.7, 0.6, 0.5])


def test_cyclic_linear() -> None:
    # Each cycle of two epochs goes from 0.8 towards 0.4 and starts again.
    modifier = curve("cyclic_linear", cycle_epochs=2.0)
    assert rates(modifier, 1.0, 2.0, 2.5, 3.0, 4.0) == pytest.approx([0.8, 0.6, 0.5, 0.8, 0.6])


@pytest.mark.parametrize("lr_func", ["linear", "cosine", "cyclic_linear"])
def test_before_the_start_nothing_and_after_the_end_the_final_rate(lr_func: str) -> None:
    assert rates(curve(lr_func), 0.0, 0.999, 5.0, 80.0) == [None, None, 0.4, 0.4]


@pytest.mark.parametrize("lr_func", ["linear", "cosine", "cyclic_linear"])
def test_an_unset_start_is_epoch_zero(lr_func: str) -> None:
    assert curve(lr_func, start_epoch=-1.0).learning_rate_at(0.0) == 0.8


def test_a_constant_inside_its_window() -> None:
    modifier = SetLearningRateModifier(learning_rate=0.1, start_epoch=1.0, end_epoch=3.0)
    assert [modifier.learning_rate_at(epoch) for epoch in (0.0, 1.0, 2.9, 3.0)] == [None, 0.1, 0.1, None]
    assert SetLearningRateModifier(learning_rate=0.1).learning_rate_at(99.0) == 0.1


@pytest.mark.parametrize(
    ("field", "value"),
    [("end_epoch", 1.0), ("init_lr", 1.1), ("final_lr", -0.1), ("cycle_epochs", 0.0), ("lr_func", "step")],
)
def test_bad_curves(field: str, value: object) -> None:
    with refused(RecipeError, field):
        validated(LearningRateFunctionModifier, curve("linear").model_dump() | {field: value}, RecipeError)
