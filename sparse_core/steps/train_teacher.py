"""Step: fine-tune a dense model, to compare with and to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from sparse_core.steps.spec import Kind, Port, step
from sparse_core.steps.training import DATASET, RECIPE, TrainSettings, training_settings


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
    """Fine-tunes a dense model by a recipe, or takes a fine-tuned model as it is.

    Returns:
        Metrics on the validation split, and the sparsity of the encoder and of the model (0 to 1).

    Raises:
        SparseCoreError: the inputs do not fit one another.
    """
    from sparse_core.recipe import load_recipe
    from sparse_core.training.run import TrainingRun

    run = TrainingRun(
        step="train_teacher",
        model=model,
        dataset=dataset,
        recipe=load_recipe(recipe),
        teacher=None,
        output=output,
        settings=training_settings(settings),
    )
    return run.evaluate() if settings.evaluate_only else run.execute()
