"""What the training steps have in common: settings, artifacts, and the run that they describe."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import Field

from sparse_core.fields import Options
from sparse_core.steps.spec import Kind, MaxSeqLength, Port
from sparse_core.training.options import TrainingOptions

if TYPE_CHECKING:
    from sparse_core.training.settings import TrainingSettings

DATASET = Port("dataset", Kind.DATASET, "Dataset artifact of fetch_dataset.")
RECIPE = Port("recipe", Kind.RECIPE, "Recipe artifact of fetch_recipe.")
TEACHER = Port("teacher", Kind.MODEL, "Fine-tuned teacher; used where the recipe distils.")


class TrainSettings(Options):
    """Settings of a training step."""

    max_seq_length: MaxSeqLength = 128
    training_options: TrainingOptions = TrainingOptions()


class DistilledTrainSettings(TrainSettings):
    """Settings of a training step that can learn from a teacher."""

    use_teacher_tokenizer: bool = Field(
        False, description="The teacher reads each text with its own tokenizer (text classification only)."
    )


def training_settings(settings: TrainSettings) -> TrainingSettings:
    """The settings as the training run takes them."""
    from sparse_core.training.settings import TrainingSettings

    options = settings.training_options.model_dump()
    arguments = options.pop("training_arguments")
    return TrainingSettings(
        max_seq_length=settings.max_seq_length, training_arguments=json.dumps(arguments) if arguments else "", **options
    )
