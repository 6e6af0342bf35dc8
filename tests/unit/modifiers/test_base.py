"""What every modifier answers by default, and what the context of a training gives."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sparse_core.errors import RecipeError
from sparse_core.fields import validated
from sparse_core.modifiers.base import ActiveModifier, ForwardPass, Modifier, Segment, TrainingContext
from sparse_core.modifiers.epoch_range import EpochRangeModifier
from sparse_core.modifiers.weight_decay import SetWeightDecayModifier
from tests.refusals import refused


class PlainModifier(Modifier):
    """Claims nothing."""


def test_a_plain_modifier_claims_nothing():
    modifier = PlainModifier(start_epoch=1.0)
    model = nn.Linear(2, 2)
    assert not (modifier.makes_zeros or modifier.keeps_zeros or modifier.needs_teacher or modifier.only_one)
    assert (modifier.quantizes_at, modifier.changes_structure_at, modifier.finished_at) == (None, None, 0.0)
    assert (modifier.learning_rate_at(1.0), modifier.weight_decay_at(1.0)) == (None, None)
    assert (modifier.matched_parameters(model), list(modifier.model_notes(model))) == (None, [])
    assert modifier.teacher_output_keys(("logits",)) == ()
    assert modifier.segments(4.0) == [Segment(1.0, 4.0, "")]
    assert modifier.activate(TrainingContext(model=model, steps_per_epoch=1)) is None
    modifier.require_length(4.0)
    modifier.require_fit(model)


@pytest.mark.parametrize(
    ("start", "end", "epoch", "expected"),
    [(-1.0, -1.0, 0.0, True), (1.0, 2.0, 0.9, False), (1.0, 2.0, 1.0, True), (1.0, 2.0, 2.0, False)],
)
def test_the_window_is_half_open(start, end, epoch, expected):
    assert PlainModifier(start_epoch=start, end_epoch=end).is_active(epoch) is expected


def test_an_end_before_the_start_is_refused():
    with refused(RecipeError, "end_epoch"):
        validated(PlainModifier, {"start_epoch": 2.0, "end_epoch": 1.0}, RecipeError)


@pytest.mark.parametrize("value", [True, float("nan"), -2.0, "soon"])
def test_an_epoch_is_a_number_from_minus_one(value):
    with refused(RecipeError, "start_epoch"):
        validated(PlainModifier, {"start_epoch": value}, RecipeError)


def test_settings_that_change_nothing():
    assert dict(PlainModifier(start_epoch=4.0).ineffective_settings(4.0)).keys() == {"start_epoch"}
    assert dict(PlainModifier(start_epoch=2.0, end_epoch=2.0).ineffective_settings(4.0)).keys() == {"end_epoch"}
    assert dict(PlainModifier().ineffective_settings(4.0)) == {}
    epochs = EpochRangeModifier(start_epoch=1.0, end_epoch=3.0)
    assert dict(epochs.ineffective_settings(4.0)).keys() == {"start_epoch", "end_epoch"}


def test_weight_decay_holds_inside_its_window():
    modifier = SetWeightDecayModifier(weight_decay=0.1, start_epoch=1.0, end_epoch=2.0)
    assert [modifier.weight_decay_at(epoch) for epoch in (0.0, 1.0, 2.0)] == [None, 0.1, None]


def test_run_state_does_nothing_by_default():
    active, loss = ActiveModifier(), torch.tensor(2.0)
    for hook in (active.before_step, active.after_backward, active.after_step, active.end_epoch):
        hook(0.0)
    active.restore_structure(1.0)
    active.load_state({})
    assert active.loss(loss, ForwardPass(outputs={}, batch={}, labels=None, epoch=0.0)) is loss
    assert active.state() == {}


def test_the_optimizer_forgets_parameters_that_leave_the_model():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    context = TrainingContext(model=model, steps_per_epoch=1, find_optimizer=lambda: optimizer)
    context.drop_from_optimizer(model[1].parameters())
    assert [id(p) for p in optimizer.param_groups[0]["params"]] == [id(p) for p in model[0].parameters()]
    assert set(optimizer.state) == set(model[0].parameters())


def test_before_the_optimizer_is_made_there_is_nothing_to_forget():
    context = TrainingContext(model=nn.Linear(2, 2), steps_per_epoch=1)
    context.drop_from_optimizer(context.model.parameters())
    assert context.optimizer is None
    assert list(context.calibration_batches()) == []
