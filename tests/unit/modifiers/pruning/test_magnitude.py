"""Magnitude pruning in a training, step by step."""

from torch import nn

from sparse_core.errors import RecipeError
from sparse_core.modifiers.pruning.magnitude import GlobalMagnitudePruningModifier, GMPruningModifier
from tests.refusals import refused
from tests.unit.modifiers.pruning.conftest import context, linear, shake


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
    with refused(RecipeError, "params"):
        gradual(params=["re:bert.*"]).require_fit(linear([1.0]))
