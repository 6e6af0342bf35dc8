"""Distillation losses on logits."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from sparse_core.errors import ModelError

IGNORE_INDEX = -100


def kl_divergence(student_logits: Tensor, teacher_logits: Tensor, temperature: float, valid: Tensor | None) -> Tensor:
    """T squared times the mean of KL(teacher || student) over the valid positions (Hinton et al. 2015, sec. 2).

    The factor keeps the gradient's scale independent of the temperature, so that hardness need not be retuned.

    Args:
        student_logits: (..., num_classes), any float dtype; computed in float32.
        teacher_logits: same shape.
        temperature: above 0.
        valid: bool (...), the positions that count, for example those that are not padding; None: all.

    Returns:
        A float32 scalar; 0 when no position is valid.

    Raises:
        ModelError: the two have different shapes.
    """
    if student_logits.shape != teacher_logits.shape:
        raise ModelError(
            f"distill_teacher: the teacher's logits have shape {tuple(teacher_logits.shape)} where the student's have "
            f"{tuple(student_logits.shape)}; teacher and student need the same labels and the same input tokens"
        )
    student_log_probs = functional.log_softmax(student_logits.float() / temperature, dim=-1)
    teacher_log_probs = functional.log_softmax(teacher_logits.float() / temperature, dim=-1)
    divergence = functional.kl_div(student_log_probs, teacher_log_probs, reduction="none", log_target=True).sum(-1)
    if valid is None:
        return temperature**2 * divergence.mean()
    return temperature**2 * (divergence * valid).sum() / valid.sum().clamp(min=1)


def valid_positions(logits: Tensor, labels: Tensor | None, attention_mask: Tensor | None) -> Tensor | None:
    """Positions of `logits` that distillation may use: bool (batch, seq_len), or None when all of them are valid.

    Logits with one row for each token leave out padding and, where the task has token labels, those at -100. Logits
    with one row for each example have no invalid position.
    """
    positions = logits.shape[:-1]
    if logits.dim() < 3:
        return None
    valid = attention_mask.bool() if attention_mask is not None and attention_mask.shape == positions else None
    if labels is not None and labels.shape == positions:
        labelled = labels != IGNORE_INDEX
        valid = labelled if valid is None else valid & labelled
    return valid
