"""Constant pruning in a training, step by step."""

import torch

from sparse_core.errors import ModelError
from sparse_core.modifiers.pruning.constant import ConstantPruningModifier
from tests.refusals import refused
from tests.unit.modifiers.pruning.conftest import context, linear, shake


def test_constant_pruning_keeps_exactly_the_zeros_of_the_start():
    module = linear([1.0, 0.0, 2.0, 0.0])
    active = ConstantPruningModifier(params="__ALL_PRUNABLE__").activate(context(module))
    for step in range(4):
        active.before_step(step / 4)
        shake(module)
        active.after_step(0.0)
    assert module.weight.tolist() == [[3.0, 0.0, 4.0, 0.0]]


def test_constant_pruning_lets_go_after_its_end():
    module = linear([1.0, 0.0])
    active = ConstantPruningModifier(params="__ALL__", start_epoch=0.0, end_epoch=1.0).activate(context(module))
    active.before_step(0.0)
    active.before_step(1.0)
    shake(module)
    active.after_step(0.0)
    assert module.weight.tolist() == [[1.5, 0.5]]


def test_constant_pruning_of_a_dense_model_is_refused():
    with refused(ModelError, "model"):
        ConstantPruningModifier(params="__ALL__").require_fit(linear([1.0, 2.0]))
    ConstantPruningModifier(params="__ALL__", start_epoch=1.0).require_fit(linear([1.0, 2.0]))


def test_constant_pruning_that_begins_later_waits_for_the_zeros():
    module = linear([1.0, 2.0])
    active = ConstantPruningModifier(params="__ALL__", start_epoch=1.0).activate(context(module))
    active.before_step(0.0)
    assert active.state() == {}
    with torch.no_grad():
        module.weight[0, 0] = 0.0
    active.before_step(1.0)
    assert active.state()["mask.weight"].tolist() == [[False, True]]
