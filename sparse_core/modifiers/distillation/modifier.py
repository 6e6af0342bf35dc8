"""Distillation: the model learns from a teacher's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from sparse_core.modifiers.base import ActiveModifier, ForwardPass, Modifier, TeacherAccess, TrainingContext

if TYPE_CHECKING:
    from torch import Tensor


class DistillationModifier(Modifier):
    """Mixes the task loss with the divergence from a teacher: (1 - hardness) task + hardness T^2 KL.

    Source: Hinton, Vinyals and Dean 2015, section 2.
    """

    description: ClassVar[str] = "learning from the teacher's outputs"
    ineffective_fields: ClassVar[dict[str, str]] = {"update_frequency": "the loss is computed at every step"}
    sparseml_defaults: ClassVar[dict[str, Any]] = {"teacher_input_keys": None}
    needs_teacher: ClassVar[bool] = True

    hardness: float = Field(0.5, ge=0.0, le=1.0, description="Share of the teacher; 1 ignores the labels.")
    temperature: float = Field(2.0, gt=0.0, description="Softens both distributions; above 1 is softer.")
    distill_output_keys: list[str] | None = Field(None, description="Model outputs to match; unset: those of the head.")
    update_frequency: float = Field(-1.0, ge=-1.0, description="Read for compatibility; no effect.")

    def teacher_output_keys(self, head_keys: Sequence[str]) -> Sequence[str]:
        """The outputs to match."""
        return self.distill_output_keys or head_keys

    def activate(self, training: TrainingContext) -> ActiveModifier | None:
        """Run state for one training; None without a teacher, as the user may decide."""
        return None if training.teacher is None else ActiveDistillation(self, training.teacher)


class ActiveDistillation(ActiveModifier):
    """Adds the teacher to the loss."""

    def __init__(self, modifier: DistillationModifier, teacher: TeacherAccess) -> None:
        """Prepares to learn from `teacher` by the settings of `modifier`."""
        self._modifier = modifier
        self._teacher = teacher
        self._keys = modifier.teacher_output_keys(teacher.head_keys)

    def loss(self, loss: Tensor, forward: ForwardPass) -> Tensor:
        """(1 - hardness) loss + hardness times the mean over the outputs of their divergence.

        Raises:
            ModelError: an output is missing, or has another shape than the teacher's.
        """
        import torch

        from sparse_core.modifiers.distillation.losses import output_divergence
        from sparse_core.modifiers.distillation.teacher import require_output

        if not self._modifier.is_active(forward.epoch):
            return loss
        expected = self._teacher.outputs(forward.batch)
        divergences = [
            output_divergence(
                key,
                require_output(forward.outputs, key),
                expected[key],
                self._modifier.temperature,
                labels=forward.labels,
                attention_mask=forward.batch.get("attention_mask"),
                problem_type=self._teacher.problem_type(forward.labels),
            )
            for key in self._keys
        ]
        hardness = self._modifier.hardness
        return (1 - hardness) * loss + hardness * torch.stack(divergences).mean()
