"""Sparsity curves and update times worked out by hand."""

import pytest

from sparse_core.modifiers.pruning.magnitude import GlobalMagnitudePruningModifier, GMPruningModifier
from sparse_core.modifiers.pruning.sparsity import interpolate


def make(**settings):
    """A modifier from 0 to 80% over epochs 1 to 3."""
    values = {"init_sparsity": 0.0, "final_sparsity": 0.8, "start_epoch": 1.0, "end_epoch": 3.0, "params": "__ALL__"}
    return GMPruningModifier(**{**values, **settings})


@pytest.mark.parametrize(
    ("inter_func", "fraction", "expected"),
    [
        ("linear", 0.25, 0.2 + 0.25 * 0.6),
        ("cubic", 0.5, 0.2 + 0.875 * 0.6),
        ("inverse_cubic", 0.875, 0.2 + 0.5 * 0.6),
        ("cubic", 0.0, 0.2),
        ("cubic", 1.0, 0.8),
        ("cubic", 1.5, 0.8),
        ("inverse_cubic", -1.0, 0.2),
    ],
)
def test_interpolate(inter_func, fraction, expected):
    assert interpolate(fraction, 0.2, 0.8, inter_func) == pytest.approx(expected, abs=1e-12)


def test_sparsity_at_the_middle_of_a_cubic_curve():
    assert make().sparsity_at(2.0, 0.0) == pytest.approx(0.7)


def test_updates_fall_on_multiples_of_the_frequency_and_on_both_ends():
    modifier = make(update_frequency=0.5)
    steps_per_epoch = 10
    due = [s for s in range(50) if modifier.is_update_due(s / steps_per_epoch, (s - 1) / steps_per_epoch)]
    assert due == [10, 15, 20, 25, 30]


def test_without_a_frequency_every_step_of_the_range_updates():
    due = [s for s in range(20) if make().is_update_due(s / 4, (s - 1) / 4)]
    assert due == list(range(4, 13))


def test_the_last_update_is_made_even_if_no_step_meets_the_end():
    modifier = make(update_frequency=10.0, end_epoch=2.95)
    due = [s for s in range(20) if modifier.is_update_due(s / 4, (s - 1) / 4)]
    assert due == [4, 12]


def test_global_is_a_default_that_can_be_read():
    assert GlobalMagnitudePruningModifier(**make().model_dump(exclude={"global_sparsity"})).global_sparsity is True


@pytest.mark.parametrize("init_sparsity", [-0.1, 1.0, "half"])
def test_init_sparsity_out_of_range_is_refused(init_sparsity):
    with pytest.raises(ValueError, match="init_sparsity"):
        make(init_sparsity=init_sparsity)
