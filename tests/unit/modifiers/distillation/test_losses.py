"""Distillation losses worked out by hand."""

import math

import pytest
import torch
from torch import tensor

from sparse_core.errors import ModelError
from sparse_core.modifiers.distillation.losses import kl_divergence, valid_positions


def test_kl_of_two_rows_by_hand():
    # at T = 2 the teacher's logits (2 ln 3, 0) are probabilities (3/4, 1/4), the student's (0, 0) are (1/2, 1/2)
    teacher = tensor([[2 * math.log(3.0), 0.0], [0.0, 0.0]])
    by_hand = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    loss = kl_divergence(torch.zeros(2, 2), teacher, 2.0, None)
    assert float(loss) == pytest.approx(4.0 * by_hand / 2, rel=1e-6)


def test_only_valid_positions_count():
    teacher = tensor([[[2 * math.log(3.0), 0.0], [50.0, -50.0]]])
    by_hand = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    loss = kl_divergence(torch.zeros(1, 2, 2), teacher, 2.0, tensor([[True, False]]))
    assert float(loss) == pytest.approx(4.0 * by_hand, rel=1e-6)


def test_no_valid_position_is_zero_and_has_a_zero_gradient():
    student = torch.zeros(1, 1, 2, requires_grad=True)
    loss = kl_divergence(student, tensor([[[1.0, 0.0]]]), 1.0, tensor([[False]]))
    loss.backward()
    assert float(loss) == 0.0
    assert student.grad.tolist() == [[[0.0, 0.0]]]


def test_gradient_does_not_shrink_with_the_temperature():
    norms = []
    for temperature in (1.0, 8.0):
        student = torch.zeros(1, 2, requires_grad=True)
        kl_divergence(student, tensor([[0.1, -0.1]]), temperature, None).backward()
        norms.append(float(student.grad.norm()))
    assert norms[1] == pytest.approx(norms[0], rel=0.02)


def test_half_precision_is_computed_in_float32():
    loss = kl_divergence(torch.zeros(1, 2, dtype=torch.bfloat16), torch.ones(1, 2, dtype=torch.bfloat16), 2.0, None)
    assert loss.dtype == torch.float32


def test_another_number_of_classes_is_refused():
    with pytest.raises(ModelError, match=r"distill_teacher: the teacher's logits have shape \(1, 3\)"):
        kl_divergence(torch.zeros(1, 2), torch.zeros(1, 3), 2.0, None)


@pytest.mark.parametrize(
    ("logits_shape", "labels", "attention_mask", "expected"),
    [
        ((1, 2), [1], [[1, 0]], None),
        ((1, 3, 2), None, [[1, 1, 0]], [[True, True, False]]),
        ((1, 3, 2), [[-100, 4, -100]], [[1, 1, 0]], [[False, True, False]]),
        ((1, 3, 2), [1], None, None),
    ],
)
def test_valid_positions(logits_shape, labels, attention_mask, expected):
    as_tensor = lambda value: None if value is None else tensor(value)  # noqa: E731
    valid = valid_positions(torch.zeros(logits_shape), as_tensor(labels), as_tensor(attention_mask))
    assert (valid if valid is None else valid.tolist()) == expected
