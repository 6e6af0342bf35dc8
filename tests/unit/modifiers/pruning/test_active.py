"""Pruning in a training, step by step."""

import pytest
import torch
from torch import nn

from sparse_core.errors import ModelError, RecipeError
from sparse_core.modifiers.base import TrainingContext
from sparse_core.modifiers.pruning.constant import ConstantPruningModifier
from sparse_core.modifiers.pruning.magnitude import GlobalMagnitudePruningModifier, GMPruningModifier


def linear(*rows):
    """A Linear without bias whose weight is `rows`."""
    module = nn.Linear(len(rows[0]), len(rows), bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(rows))
    return module


def shake(module):
    """What an optimizer does to masked weights that have momentum: moves them all."""
    with torch.no_grad():
        module.weight.add_(0.5)


def context(module, steps_per_epoch=4):
    """A training of `module`."""
    return TrainingContext(model=module, steps_per_epoch=steps_per_epoch)


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
    with pytest.raises(ModelError) as caught:
        ConstantPruningModifier(params="__ALL__").require_fit(linear([1.0, 2.0]))
    assert caught.value.setting == "model"
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


def gradual(**settings):
    """From dense to 75% in one epoch, a new mask every half epoch."""
    values = {"init_sparsity": 0.0, "final_sparsity": 0.75, "start_epoch": 0.0, "end_epoch": 1.0, "params": "__ALL__"}
    return GMPruningModifier(**{**values, "update_frequency": 0.5, "inter_func": "linear", **settings})


def test_magnitude_pruning_drops_the_smallest_weights_on_its_curve():
    module = linear([4.0, -1.0, 3.0, -2.0])
    active = gradual(final_sparsity=0.5).activate(context(module))
    sparsities = []
    for step in range(8):
        active.before_step(step / 4)
        active.after_step(0.0)
        sparsities.append(float((module.weight == 0).float().mean()))
    assert sparsities == [0.0, 0.0, 0.25, 0.25, 0.5, 0.5, 0.5, 0.5]
    assert module.weight.tolist() == [[4.0, 0.0, 3.0, 0.0]]


def test_magnitude_pruning_begins_at_the_sparsity_that_a_parameter_has():
    module = linear([4.0, 0.0, 0.0, 1.0])
    active = gradual(init_sparsity="__FROM_PARAM__", final_sparsity=0.75).activate(context(module))
    active.before_step(0.0)
    assert module.weight.tolist() == [[4.0, 0.0, 0.0, 1.0]]
    active.before_step(1.0)
    assert module.weight.tolist() == [[4.0, 0.0, 0.0, 0.0]]


def test_leave_enabled_false_frees_the_weights_after_the_end():
    module = linear([4.0, 1.0])
    active = gradual(leave_enabled=False, final_sparsity=0.5).activate(context(module))
    for epoch in (0.0, 0.5, 1.0):
        active.before_step(epoch)
    shake(module)
    active.after_step(0.0)
    assert 0.0 not in module.weight.tolist()[0]


def test_global_pruning_takes_all_from_the_layer_of_small_weights():
    net = nn.Sequential(linear([1.0, 2.0]), linear([10.0], [20.0]))
    settings = gradual(final_sparsity=0.5).model_dump(exclude={"global_sparsity"})
    active = GlobalMagnitudePruningModifier(**settings).activate(context(net))
    active.before_step(1.0)
    assert net[0].weight.tolist() == [[0.0, 0.0]]
    assert net[1].weight.tolist() == [[10.0], [20.0]]


def test_state_restores_masks_and_the_curve():
    module = linear([4.0, 0.0, 3.0, 2.0])
    settings = gradual(init_sparsity="__FROM_PARAM__")
    active = settings.activate(context(module))
    active.before_step(0.0)
    state = {name: tensor.clone() for name, tensor in active.state().items()}
    copy = linear(*module.weight.tolist())
    restored = settings.activate(context(copy))
    restored.load_state(state)
    for run, target in ((active, module), (restored, copy)):
        run.before_step(0.5)
        run.before_step(1.0)
        run.after_step(1.0)
        assert target.weight.tolist() == [[4.0, 0.0, 0.0, 0.0]]


def test_params_that_match_nothing_are_refused():
    with pytest.raises(RecipeError) as caught:
        gradual(params=["re:bert.*"]).require_fit(linear([1.0]))
    assert caught.value.setting == "params"
