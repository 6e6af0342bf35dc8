"""Distillation losses worked out by hand."""

import math

import pytest
import torch
from torch import tensor

from sparse_core.errors import ModelError
from sparse_core.modifiers.distillation.losses import (
    is_per_token,
    kl_divergence,
    label_divergence,
    output_divergence,
    span_divergence,
    squared_error,
    valid_positions,
)
from tests.refusals import refused


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
    assert loss.item() == 0.0
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


def test_a_span_leaves_padding_out_of_both_softmaxes():
    # at T = 1 over the two positions that count the teacher has (3/4, 1/4), the student (1/2, 1/2)
    teacher = tensor([[math.log(3.0), 0.0, 40.0]])
    student = tensor([[0.0, 0.0, -9.0]], requires_grad=True)
    loss = span_divergence(student, teacher, 1.0, tensor([[1, 1, 0]]))
    loss.backward()
    assert loss.item() == pytest.approx(0.75 * math.log(1.5) + 0.25 * math.log(0.5), rel=1e-6)
    assert student.grad.tolist() == [[pytest.approx(-0.25), pytest.approx(0.25), 0.0]]


def test_a_span_is_the_mean_over_rows_and_scaled_by_the_temperature():
    teacher = tensor([[2 * math.log(3.0), 0.0], [5.0, 5.0]])
    by_hand = 4.0 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5)) / 2
    assert float(span_divergence(torch.zeros(2, 2), teacher, 2.0, None)) == pytest.approx(by_hand, rel=1e-6)


def test_each_label_of_several_stands_alone():
    # sigmoids at T = 2: the teacher's (3/4, 1/2), the student's (1/2, 1/2)
    teacher = tensor([[2 * math.log(3.0), 0.0]])
    by_hand = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert float(label_divergence(torch.zeros(1, 2), teacher, 2.0)) == pytest.approx(4.0 * by_hand / 2, rel=1e-6)


def test_a_regression_is_the_squared_error_at_any_temperature():
    student, teacher = tensor([[1.0], [2.0]]), tensor([[0.0], [4.0]])
    assert float(squared_error(student, teacher)) == pytest.approx(2.5)
    for temperature in (1.0, 8.0):
        loss = output_divergence("logits", student, teacher, temperature, problem_type="regression")
        assert float(loss) == pytest.approx(2.5)


def test_the_loss_follows_from_the_output():
    generator = torch.Generator().manual_seed(0)
    student, teacher = torch.randn(2, 2, 3, generator=generator)
    mask = tensor([[1, 1, 0], [1, 1, 1]])
    classes = output_divergence("logits", student, teacher, 2.0, attention_mask=mask)
    assert torch.equal(classes, kl_divergence(student, teacher, 2.0))
    labels = output_divergence("logits", student, teacher, 2.0, problem_type="multi_label_classification")
    assert torch.equal(labels, label_divergence(student, teacher, 2.0))
    span = output_divergence("end_logits", student, teacher, 2.0, attention_mask=mask)
    assert torch.equal(span, span_divergence(student, teacher, 2.0, mask))
    student, teacher = torch.randn(2, 2, 3, 5, generator=generator)
    tokens = output_divergence(
        "logits", student, teacher, 2.0, labels=tensor([[1, -100, -100], [-100, 2, 3]]), attention_mask=mask
    )
    valid = tensor([[True, False, False], [False, True, True]])
    assert torch.equal(tokens, kl_divergence(student, teacher, 2.0, valid))
    assert len({float(loss) for loss in (classes, labels, span, tokens)}) == 4


def test_another_number_of_classes_is_refused():
    with refused(ModelError, "distill_teacher"):
        output_divergence("logits", torch.zeros(1, 2), torch.zeros(1, 3), 2.0)


@pytest.mark.parametrize(
    ("key", "shape", "expected"),
    [("logits", (2, 3), False), ("logits", (2, 3, 4), True), ("start_logits", (2, 3), True)],
)
def test_is_per_token(key, shape, expected):
    assert is_per_token(key, torch.zeros(shape)) is expected


@pytest.mark.parametrize(
    ("labels", "attention_mask", "expected"),
    [
        (None, [[1, 1, 0]], [[True, True, False]]),
        ([[-100, 4, -100]], [[1, 1, 0]], [[False, True, False]]),
        ([[-100, 4, 0]], None, [[False, True, True]]),
        ([1], None, None),
        ([1], [[1, 0]], None),
    ],
)
def test_valid_positions(labels, attention_mask, expected):
    as_tensor = lambda value: None if value is None else tensor(value)  # noqa: E731
    valid = valid_positions(torch.zeros(1, 3, 2), as_tensor(labels), as_tensor(attention_mask))
    assert (valid if valid is None else valid.tolist()) == expected
