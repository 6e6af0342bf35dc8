"""The teacher in a training: its outputs for the rows, computed beforehand or for each batch."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from sparse_core.errors import ModelError
from sparse_core.modifiers.distillation.teacher import (
    TEACHER_PREFIX,
    named_inputs,
    run_teacher,
    with_teacher_outputs,
)
from sparse_core.training.teachers import NO_TEACHER, Teacher, head_of, problem_type_of, resolve_teacher

if TYPE_CHECKING:
    from datasets import Dataset

    from sparse_core.recipe import Recipe

logger = logging.getLogger(__name__)


class Distiller:
    """The teacher of one training, as the recipe's modifiers see it.

    Where a row has the same inputs in every epoch, the teacher runs over the data once, before the training, and is
    then released. Otherwise it runs over each batch of the training.
    """

    def __init__(self, recipe: Recipe, model: nn.Module, teacher: Teacher, label_names: Collection[str]) -> None:
        """Prepares to distil.

        Args:
            recipe: its modifiers say which outputs they read.
            model: the student.
            teacher: the teacher and its own rows, if it has some.
            label_names: entries of a batch that only a loss reads.

        Raises:
            ModelError: the teacher has rows of its own and would run over each batch of the student's.
        """
        self._model = model
        self._head = head_of(model)
        self._teacher: Teacher | None = teacher
        self._label_names = label_names
        self._live: nn.Module | None = None
        self._last: tuple[Mapping[str, Tensor], Mapping[str, Tensor]] | None = None
        self._has_fixed_outputs = self._head.has_fixed_inputs and not recipe.needs_live_teacher
        self.output_keys = recipe.teacher_output_keys(self._head.outputs)
        if teacher.dataset is not None and not self._has_fixed_outputs:
            raise ModelError(
                "teacher_dataset",
                f"the teacher of this {type(model).__name__} runs over each batch of the training, so it reads the "
                "same tokens",
                fix="leave it out",
            )

    @property
    def head_keys(self) -> Sequence[str]:
        """Outputs of the student's head."""
        return self._head.outputs

    @property
    def live_model(self) -> nn.Module | None:
        """The teacher where it runs over each batch."""
        return self._live

    def problem_type(self, labels: Tensor | None) -> str | None:
        """Hugging Face's name for what the outputs of a sequence mean; None: one of several classes."""
        return problem_type_of(self._model, labels)

    def outputs(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The teacher's outputs for a batch, by name, each (batch, ...).

        Args:
            batch: what the student was given, with the `teacher_<key>` entries where the teacher has run before.

        Raises:
            ModelError: the teacher lacks an output.
        """
        if self._live is None:
            return {name.removeprefix(TEACHER_PREFIX): value for name, value in batch.items()}
        if self._last is None or self._last[0] is not batch:  # several modifiers may ask for one batch
            self._last = batch, run_teacher(self._live, batch, self.output_keys, self._label_names)
        return self._last[1]

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
        if not (self._has_fixed_outputs and hasattr(dataset, "column_names")):
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


def make_distiller(
    recipe: Recipe | None,
    model: nn.Module,
    teacher: Any,
    tokenizer: Any,
    label_names: Collection[str],
    dataset: Dataset | None = None,
    collator: Any = None,
) -> Distiller | None:
    """The distiller of a recipe and its teacher; None: nothing is distilled.

    Args:
        recipe: None for a training without one.
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
    if recipe is None or not recipe.needs_teacher:
        if teacher is not None and not is_disabled:
            logger.info("distill_teacher: not used, because nothing in the recipe learns from a teacher")
        return None
    if teacher is None:
        raise ModelError(
            "distill_teacher",
            f"not set, but the recipe learns from a teacher ({recipe.names_of_teacher_users})",
            fix=f"name a teacher, or write '{NO_TEACHER}' to train without one",
        )
    if is_disabled:
        logger.warning("distill_teacher: disable; %s has no effect", recipe.names_of_teacher_users)
        return None
    module = resolve_teacher(teacher, model, tokenizer, has_own_tokens=dataset is not None)
    return Distiller(recipe, model, Teacher(module, dataset, collator), label_names)
