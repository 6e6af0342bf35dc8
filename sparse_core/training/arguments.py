"""Training arguments: Hugging Face's, with defaults that do not waste time."""

from __future__ import annotations

from dataclasses import dataclass, field

import transformers


@dataclass
class TrainingArguments(transformers.TrainingArguments):
    """Hugging Face's TrainingArguments; only these defaults differ.

    Batches are of like lengths, so that little is padded; logs come every 50 steps; at most two checkpoints are kept.
    """

    train_sampling_strategy: str = field(
        default="group_by_length", metadata={"help": "Put rows of like length into one batch."}
    )
    logging_steps: float = field(default=50, metadata={"help": "Log every so many optimizer steps."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Whole checkpoints to keep."})
