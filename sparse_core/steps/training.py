"""What the training steps share: settings, artifacts, and the training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from sparse_core.fields import Options
from sparse_core.steps.spec import Kind, MaxSeqLength, Port
from sparse_core.training.options import TrainingOptions

if TYPE_CHECKING:
    from sparse_core.recipe import Recipe

DATASET = Port("dataset", Kind.DATASET, "Dataset artifact of fetch_dataset.")
RECIPE = Port("recipe", Kind.RECIPE, "Recipe artifact of fetch_recipe.")
TEACHER = Port("teacher", Kind.MODEL, "Fine-tuned teacher; used if the recipe distils.")


class TrainSettings(Options):
    """Settings of a training step."""

    max_seq_length: MaxSeqLength = 128
    training_options: TrainingOptions = TrainingOptions()


class DistilledTrainSettings(TrainSettings):
    """Settings of a training step that can learn from a teacher."""

    use_teacher_tokenizer: bool = Field(
        False, description="The teacher reads each text with its own tokenizer (text classification only)."
    )


def run_training(
    name: str,
    model: Path,
    dataset: Path,
    recipe: Recipe,
    output: Path,
    settings: TrainSettings,
    *,
    teacher: Path | None = None,
    trains: bool = True,
    stop_epoch: float | None = None,
    start_checkpoint: Path | None = None,
) -> dict[str, Any]:
    """Runs a training step; arguments as in `TrainingJob` and `StepRun`.

    Returns:
        Metrics on the validation split, and the sparsity of the encoder and of the model (0 to 1).

    Raises:
        SparseCoreError: the inputs do not fit one another.
    """
    from sparse_core.training.job import TrainingJob
    from sparse_core.training.publish import StepRun, work_folder
    from sparse_core.training.step_arguments import step_arguments

    uses_own_tokens = isinstance(settings, DistilledTrainSettings) and settings.use_teacher_tokenizer
    folder = work_folder(name, model, dataset, teacher, recipe.to_yaml(), settings.model_dump_json(), stop_epoch)
    job = TrainingJob(
        name=name,
        model=model,
        dataset=dataset,
        arguments=step_arguments(settings.training_options, folder),
        max_seq_length=settings.max_seq_length,
        recipe=recipe if trains else None,
        teacher=teacher,
        use_teacher_tokenizer=uses_own_tokens,
        trains=trains,
        stop_epoch=stop_epoch,
    )
    user_arguments = frozenset(settings.training_options.training_arguments)
    return StepRun(job, output, user_arguments, start_checkpoint).run()
