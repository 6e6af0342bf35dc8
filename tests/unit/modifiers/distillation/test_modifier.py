"""The distilled loss against the formula, with a teacher whose outputs are known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sparse_core.errors import ModelError
from sparse_core.modifiers.base import ForwardPass, TrainingContext
from sparse_core.modifiers.distillation.losses import kl_divergence
from sparse_core.modifiers.distillation.modifier import DistillationModifier
from tests.refusals import refused

STUDENT, TEACHER = torch.tensor([[1.0, 0.0], [0.5, 2.0]]), torch.tensor([[0.0, 1.0], [3.0, 0.0]])


class KnownTeacher:
    """Gives the same outputs for every batch."""

    head_keys = ("logits",)
    live_model = None

    def outputs(self, batch):
        return {"logits": TEACHER, "other": 2 * TEACHER}

    def problem_type(self, labels):
        return None


def loss_at(epoch, outputs=None, **settings):
    active = DistillationModifier(**settings).activate(
        TrainingContext(model=nn.Linear(1, 1), steps_per_epoch=1, teacher=KnownTeacher())
    )
    outputs = {"logits": STUDENT, "other": STUDENT} if outputs is None else outputs
    return float(active.loss(torch.tensor(3.0), ForwardPass(outputs, {}, torch.tensor([0, 1]), epoch)))


@pytest.mark.parametrize("hardness", [0.0, 0.25, 1.0])
def test_the_loss_is_a_mix(hardness):
    divergence = float(kl_divergence(STUDENT, TEACHER, 2.0))
    assert loss_at(0.0, hardness=hardness) == pytest.approx((1 - hardness) * 3.0 + hardness * divergence)


def test_several_outputs_are_averaged():
    divergences = [float(kl_divergence(STUDENT, factor * TEACHER, 2.0)) for factor in (1, 2)]
    settings = {"hardness": 1.0, "distill_output_keys": ["logits", "other"]}
    assert loss_at(0.0, **settings) == pytest.approx(sum(divergences) / 2)


def test_outside_of_its_epochs_the_loss_is_the_tasks():
    assert loss_at(2.0, start_epoch=0.0, end_epoch=2.0) == 3.0
    assert loss_at(0.0, start_epoch=1.0) == 3.0


def test_an_output_that_the_model_lacks_is_refused():
    with refused(ModelError, "model"):
        loss_at(0.0, outputs={"loss": STUDENT})


def test_without_a_teacher_it_does_not_act():
    assert DistillationModifier().activate(TrainingContext(model=nn.Linear(1, 1), steps_per_epoch=1)) is None
