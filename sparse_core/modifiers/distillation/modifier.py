"""The recipe's face of distillation."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sparse_core.modifiers.base import Modifier


class DistillationModifier(Modifier):
    """Mixes the task loss with the divergence from a teacher: (1 - hardness) task + hardness T^2 KL.

    Source: Hinton, Vinyals and Dean 2015, section 2.
    """

    description: ClassVar[str] = "learning from the teacher's outputs"
    ineffective_fields: ClassVar[dict[str, str]] = {"update_frequency": "the loss is formed at every step"}

    hardness: float = Field(0.5, ge=0.0, le=1.0, description="Share of the teacher; 1 ignores the labels.")
    temperature: float = Field(2.0, gt=0.0, description="Softens both distributions; above 1 is softer.")
    distill_output_keys: list[str] | None = Field(None, description="Model outputs to match; unset: those of the head.")
    update_frequency: float = Field(-1.0, ge=-1.0, description="Read for compatibility; no effect.")
