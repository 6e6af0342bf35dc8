"""Distillation losses: how far the student's outputs are from the teacher's, by what the outputs mean."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from sparse_core.errors import ModelError

IGNORE_INDEX = -100
SPAN_OUTPUTS = ("start_logits", "end_logits")
"""Outputs whose classes are the positions of the sequence."""
REGRESSION = "regression"
MULTI_LABEL = "multi_label_classification"


def output_divergence(
    key: str,
    student: Tensor,
    teacher: Tensor,
    temperature: float,
    *,
    labels: Tensor | None = None,
    attention_mask: Tensor | None = None,
    problem_type: str | None = None,
) -> Tensor:
    """The divergence for one output: over positions, tokens, a number, independent labels, or classes.

    Args:
        key: name of the output.
        student: (batch, ...), any float dtype.
        teacher: same shape.
        temperature: above 0; a regression ignores it.
        labels: the task's labels; per token (batch, seq_len), they say which tokens count.
        attention_mask: (batch, seq_len); padding does not count.
        problem_type: Hugging Face's name for what the outputs of a sequence mean; None: one of several classes.

    Returns:
        A float32 scalar.

    Raises:
        ModelError: the two have different shapes.
    """
    if student.shape != teacher.shape:
        raise ModelError(
            "distill_teacher",
            f"the teacher's {key} have shape {tuple(teacher.shape)} where the student's have {tuple(student.shape)}",
            fix="teacher and student need the same labels and the same input tokens",
        )
    if key in SPAN_OUTPUTS:
        return span_divergence(student, teacher, temperature, attention_mask)
    if is_per_token(key, student):
        return kl_divergence(student, teacher, temperature, valid_positions(student, labels, attention_mask))
    if problem_type == REGRESSION:
        return squared_error(student, teacher)
    if problem_type == MULTI_LABEL:
        return label_divergence(student, teacher, temperature)
    return kl_divergence(student, teacher, temperature)


def is_per_token(key: str, output: Tensor) -> bool:
    """Whether an output has one entry for each token, (batch, seq_len, ...), and not one for each row."""
    return key in SPAN_OUTPUTS or output.dim() > 2


def kl_divergence(student: Tensor, teacher: Tensor, temperature: float, valid: Tensor | None = None) -> Tensor:
    """T squared times the mean of KL(teacher || student) over the valid positions (Hinton et al. 2015, sec. 2).

    The factor keeps the gradient's scale independent of the temperature, so that hardness need not be retuned.

    Args:
        student: logits (..., num_classes), any float dtype; computed in float32.
        teacher: same shape.
        temperature: above 0.
        valid: bool (...), the positions that count, for example those that are not padding; None: all.

    Returns:
        A float32 scalar; 0 when no position is valid.
    """
    if valid is not None:  # before the softmax, to spend no memory on a vocabulary of logits for the others
        student, teacher = student[valid], teacher[valid]
    divergence = _divergence(_log_probabilities(student, temperature), _log_probabilities(teacher, temperature))
    return temperature**2 * divergence.sum() / max(divergence.numel(), 1)


def span_divergence(student: Tensor, teacher: Tensor, temperature: float, attention_mask: Tensor | None) -> Tensor:
    """T squared times the mean over the rows of KL(teacher || student) between distributions over the positions.

    Args:
        student: logits (batch, seq_len), one for each position where a span may start, or end.
        teacher: same shape.
        temperature: above 0.
        attention_mask: (batch, seq_len); padding takes part in neither softmax. None: there is none.

    Returns:
        A float32 scalar.
    """
    padding = torch.zeros_like(student, dtype=torch.bool) if attention_mask is None else ~attention_mask.bool()
    student_log_probs, teacher_log_probs = (
        # log-probabilities of 0 in both give a divergence of 0 at padding; -inf in both would give NaN
        _log_probabilities(logits.float().masked_fill(padding, -torch.inf), temperature).masked_fill(padding, 0.0)
        for logits in (student, teacher)
    )
    return temperature**2 * _divergence(student_log_probs, teacher_log_probs).mean()


def label_divergence(student: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """T squared times the mean over rows and labels of KL(teacher || student) between yes and no.

    Args:
        student: logits (batch, num_labels) of independent labels; their sigmoids are the probabilities of yes.
        teacher: same shape.
        temperature: above 0.

    Returns:
        A float32 scalar.
    """
    student_yes_no, teacher_yes_no = (
        torch.stack([logits, torch.zeros_like(logits)], -1) for logits in (student, teacher)
    )
    return kl_divergence(student_yes_no, teacher_yes_no, temperature)


def squared_error(student: Tensor, teacher: Tensor) -> Tensor:
    """The mean squared difference, float32; a temperature and its square would cancel."""
    return functional.mse_loss(student.float(), teacher.float())


def valid_positions(logits: Tensor, labels: Tensor | None, attention_mask: Tensor | None) -> Tensor | None:
    """The tokens that distillation may use: bool (batch, seq_len), or None when all of them are valid.

    Padding is left out and, where the task has labels for tokens, those at -100.

    Args:
        logits: (batch, seq_len, ...).
        labels: of the tokens, (batch, seq_len); labels of another shape are ignored.
        attention_mask: (batch, seq_len).
    """
    positions = logits.shape[:2]
    valid = attention_mask.bool() if attention_mask is not None and attention_mask.shape == positions else None
    if labels is not None and labels.shape == positions:
        labelled = labels != IGNORE_INDEX
        valid = labelled if valid is None else valid & labelled
    return valid


def _log_probabilities(logits: Tensor, temperature: float) -> Tensor:
    return functional.log_softmax(logits.float() / temperature, dim=-1)


def _divergence(student_log_probs: Tensor, teacher_log_probs: Tensor) -> Tensor:
    """KL(teacher || student) over the last dimension."""
    return functional.kl_div(student_log_probs, teacher_log_probs, reduction="none", log_target=True).sum(-1)
