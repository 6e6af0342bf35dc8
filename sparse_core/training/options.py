"""The settings that every training shares. Loads nothing heavy."""

from __future__ import annotations

from pydantic import Field

from sparse_core.fields import JsonObject, Options

LARGEST_SEED = 2**32 - 1
"""numpy's."""


class TrainingOptions(Options):
    """Settings of a training, with Hugging Face's names."""

    per_device_train_batch_size: int = Field(32, ge=1, description="Rows in one training batch.")
    per_device_eval_batch_size: int = Field(64, ge=1, description="Rows in one evaluation batch.")
    gradient_accumulation_steps: int = Field(1, ge=1, description="Batches in one optimizer step.")
    seed: int = Field(
        42,
        ge=0,
        le=LARGEST_SEED,
        description="Seed of new weights, of dropout and of the order of the rows.",
    )
    training_arguments: JsonObject = Field(
        {}, description="More of Hugging Face's TrainingArguments, as a JSON object."
    )
