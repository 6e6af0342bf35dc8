"""Step: fine-tune a dense model, as the teacher and as the reference of the benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from sparse_core.steps.spec import Kind, Port, step
from sparse_core.steps.training import DATASET, RECIPE, TrainSettings, run_training


class TrainTeacherSettings(TrainSettings):
    """Settings of `train_teacher`."""

    evaluate_only: bool = Field(False, description="The model is already fine-tuned on these labels; only evaluate it.")


@step(
    inputs=(Port("model", Kind.MODEL, "Hugging Face folder of the dense model."), DATASET, RECIPE),
    output=Port("teacher", Kind.MODEL, "The fine-tuned dense model, as a Hugging Face folder."),
    settings=TrainTeacherSettings,
)
def train_teacher(
    model: Path, dataset: Path, recipe: Path, output: Path, settings: TrainTeacherSettings
) -> dict[str, Any]:
    """Fine-tunes a dense model by a recipe, or only evaluates a model that is already fine-tuned.

    Returns:
        Metrics on the validation split, and the sparsity of the encoder and of the model (0 to 1).

    Raises:
        SparseCoreError: the inputs do not fit one another.
    """
    from sparse_core.recipe import load_recipe

    return run_training(
        "train_teacher", model, dataset, load_recipe(recipe), output, settings, trains=not settings.evaluate_only
    )
