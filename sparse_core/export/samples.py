"""Example inputs and outputs of a model as .npz files, for those who port it to another runtime."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparse_core.artifacts.samples import INPUTS_FOLDER, OUTPUTS_FOLDER
from sparse_core.tasks.inference import named_outputs, torch_forward

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from sparse_core.tasks import Task
    from sparse_core.tasks.base import Collator

logger = logging.getLogger(__name__)


def write_samples(directory: Path, model: PreTrainedModel, task: Task, rows: Dataset, collator: Collator) -> None:
    """Writes `sample-inputs/inp-0000.npz` and `sample-outputs/out-0000.npz`, and so on, without a batch axis.

    Args:
        directory: where the two folders appear; earlier ones are replaced.
        model: gives the outputs; runs in eval mode.
        task: says which outputs count.
        rows: tokenized rows, one file each; inputs int64 (tokens,), outputs float32.
        collator: of the task.
    """
    forward = torch_forward(model, task)
    inputs_folder, outputs_folder = directory / INPUTS_FOLDER, directory / OUTPUTS_FOLDER
    for folder in (inputs_folder, outputs_folder):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    for number, row in enumerate(rows):
        batch = {name: tensor.numpy() for name, tensor in collator([row]).items() if name not in task.label_columns}
        for folder, prefix, values in (
            (inputs_folder, "inp", batch),
            (outputs_folder, "out", named_outputs(task, forward(batch))),
        ):
            np.savez(folder / f"{prefix}-{number:04}.npz", **{name: array[0] for name, array in values.items()})
    logger.info("%d samples are in the folders %s and %s", len(rows), INPUTS_FOLDER, OUTPUTS_FOLDER)
