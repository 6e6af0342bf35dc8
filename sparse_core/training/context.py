"""What a training gives to the modifiers of its recipe."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
import transformers
from torch import Tensor, nn
from torch.utils.data import DataLoader

from sparse_core.modifiers.base import TeacherAccess, TrainingContext
from sparse_core.modifiers.distillation.teacher import TeacherOutputCollator


def training_context(
    trainer: transformers.Trainer, teacher: TeacherAccess | None, model: nn.Module, steps_per_epoch: int
) -> TrainingContext:
    """The context of a training of `model` by `trainer`; `teacher` None: nothing is distilled."""
    return TrainingContext(
        model=model,
        steps_per_epoch=steps_per_epoch,
        num_epochs=trainer.args.num_train_epochs,
        find_optimizer=lambda: trainer.optimizer,
        calibration_batches=partial(calibration_batches, trainer),
        teacher=teacher,
    )


def calibration_batches(trainer: transformers.Trainer) -> Iterator[dict[str, Tensor]]:
    """Batches of the training rows in their order, on the training's device.

    The loader has its own random generator, so that the training's is not changed.
    """
    dataset = trainer.train_dataset
    if hasattr(dataset, "select_columns"):
        dataset = trainer._remove_unused_columns(dataset, description="calibration")
    loader = DataLoader(
        dataset,
        batch_size=trainer.args.train_batch_size,
        collate_fn=TeacherOutputCollator(trainer.data_collator),
        generator=torch.Generator(),
    )
    for batch in loader:
        yield trainer._prepare_inputs(batch)
