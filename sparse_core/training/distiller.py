"""Learning from a teacher inside a training: its outputs for the rows, and the loss that is mixed with the task's."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sparse_core.errors import ModelError
from sparse_core.modifiers.distillation.losses import output_divergence
from sparse_core.modifiers.distillation.modifier import DistillationModifier
from sparse_core.modifiers.distillation.teacher import (
    TEACHER_PREFIX,
    named_inputs,
    require_output,
    run_teacher,
    with_teacher_outputs,
)
from sparse_core.training.teachers import NO_TEACHER, Teacher, head_of, problem_type_of, resolve_teacher

if TYPE_CHECKING:
    from datasets import Dataset

logger = logging.getLogger(__name__)


class Distiller:
    """A recipe's distillation with one teacher.

    Where a row has the same inputs in every epoch, the teacher runs over the data once, before the training, and is let
    go. Else it runs over each batch of the training.
    """

    def __init__(
        self, settings: Sequence[DistillationModifier], model: nn.Module, teacher: Teacher, label_names: Collection[str]
    ) -> None:
        """Prepares to distil.

        Args:
            settings: the recipe's modifiers.
            model: the student.
            teacher: the teacher and its own rows, if it has some.
            label_names: entries of a batch that only a loss reads.

        Raises:
            ModelError: the teacher has rows of its own and would run over each batch of the student's.
        """
        self._settings = settings
        self._model = model
        self._head = head_of(model)
        self._teacher: Teacher | None = teacher
        self._label_names = label_names
        self._live: nn.Module | None = None
        if teacher.dataset is not None and not self._head.has_fixed_inputs:
            raise ModelError(
                f"teacher_dataset: the tokens of a {type(model).__name__} change from epoch to epoch, and its teacher "
                "reads the same ones; leave teacher_dataset out"
            )

    @property
    def output_keys(self) -> tuple[str, ...]:
        """All outputs that are matched in some epoch."""
        return tuple(dict.fromkeys(key for setting in self._settings for key in self._keys_of(setting)))

    def _keys_of(self, setting: DistillationModifier) -> Sequence[str]:
        return setting.distill_output_keys or self._head.output_keys

    def prepare(
        self, dataset: Any, input_columns: Collection[str], collator: Any, batch_size: int, device: torch.device
    ) -> Any:
        """The training data with the teacher's outputs, or as it is where the teacher runs over each batch.

        Args:
            dataset: the training data.
            input_columns: the columns that the student takes.
            collator: makes batches of it.
            batch_size: rows in one forward pass of the teacher.
            device: where the teacher runs.

        Raises:
            ModelError: the teacher lacks an output, or its own rows are not as many.
        """
        if self._teacher is None:
            return dataset
        teacher, self._teacher = self._teacher, None
        if not (self._head.has_fixed_inputs and hasattr(dataset, "column_names")):
            self._live = teacher.model.to(device)
            return dataset
        inputs: Dataset = dataset if teacher.dataset is None else teacher.dataset
        taken = named_inputs(teacher.model)
        if teacher.dataset is None:
            taken = {*input_columns, *(taken or ())}
        return with_teacher_outputs(
            dataset,
            inputs.select_columns([column for column in inputs.column_names if taken is None or column in taken]),
            teacher.model,
            teacher.collator or collator,
            self.output_keys,
            batch_size,
            device,
            self._label_names,
        )

    def mixed_loss(
        self, task_loss: Tensor, outputs: Any, batch: Mapping[str, Tensor], labels: Tensor | None, epoch: float
    ) -> Tensor:
        """(1 - hardness) task loss + hardness times the mean over the outputs of their divergence.

        Args:
            task_loss: scalar.
            outputs: the student's, by name.
            batch: what it was given, with the `teacher_<key>` entries where the teacher has run before.
            labels: the task's labels.
            epoch: of the step; modifiers that are not in force at it do nothing.

        Raises:
            ModelError: an output is missing, or has another shape than the teacher's.
        """
        active = [setting for setting in self._settings if setting.is_active(epoch)]
        if not active:
            return task_loss
        if self._live is not None:
            taught = run_teacher(self._live, batch, self.output_keys, self._label_names)
        else:
            taught = {name.removeprefix(TEACHER_PREFIX): value for name, value in batch.items()}
        for setting in active:
            divergences = [
                output_divergence(
                    key,
                    require_output(outputs, key, "model"),
                    taught[key],
                    setting.temperature,
                    labels=labels,
                    attention_mask=batch.get("attention_mask"),
                    problem_type=problem_type_of(self._model, labels),
                )
                for key in self._keys_of(setting)
            ]
            task_loss = (1 - setting.hardness) * task_loss + setting.hardness * torch.stack(divergences).mean()
        return task_loss


def make_distiller(
    settings: Sequence[DistillationModifier],
    model: nn.Module,
    teacher: Any,
    tokenizer: Any,
    label_names: Collection[str],
    dataset: Dataset | None = None,
    collator: Any = None,
) -> Distiller | None:
    """The distiller that recipe and user ask for; None where nothing is distilled.

    Args:
        settings: the recipe's distillation modifiers.
        model: the student as it starts.
        teacher: what the user gave: a module, a directory, a hub id, "self", "disable" or None.
        tokenizer: the student's; None where it is not known.
        label_names: entries of a batch that only a loss reads.
        dataset: the teacher's own rows; None where it reads the student's.
        collator: makes batches of the teacher's own rows; None: as of the student's.

    Raises:
        ModelError: the recipe distils and there is no teacher, or one that does not fit.
    """
    is_disabled = isinstance(teacher, str) and teacher == NO_TEACHER
    if not settings:
        if teacher is not None and not is_disabled:
            logger.info("distill_teacher: given, but the recipe has no DistillationModifier, so it is not used")
        return None
    if teacher is None:
        raise ModelError(
            "distill_teacher: not set, but the recipe has a DistillationModifier; name a teacher, or write "
            f"'{NO_TEACHER}' to train without one"
        )
    if is_disabled:
        logger.warning("distill_teacher: disable; the recipe's DistillationModifier has no effect")
        return None
    module = resolve_teacher(teacher, model, tokenizer, has_own_tokens=dataset is not None)
    return Distiller(settings, model, Teacher(module, dataset, collator), label_names)
