"""Training arguments: Hugging Face's, with defaults that do not waste time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import transformers

logger = logging.getLogger(__name__)

RENAMED_ARGUMENTS = {
    "evaluation_strategy": "eval_strategy",
    "no_cuda": "use_cpu",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "push_to_hub_model_id": "hub_model_id",
    "push_to_hub_token": "hub_token",
}
"""Names of before transformers 5 -> those of today, with the same values."""


@dataclass
class _Arguments(transformers.TrainingArguments):
    train_sampling_strategy: str = field(
        default="group_by_length", metadata={"help": "Put rows of like length into one batch."}
    )
    logging_steps: float = field(default=50, metadata={"help": "Log every so many optimizer steps."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Whole checkpoints to keep."})


class TrainingArguments(_Arguments):
    """Hugging Face's TrainingArguments; only these defaults differ.

    Batches are of like lengths, so that little is padded; logs come every 50 steps; at most two checkpoints are kept.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes Hugging Face's arguments, also by the names that transformers 4 had for them."""
        for old in [name for name in kwargs if name in RENAMED_ARGUMENTS]:
            new = RENAMED_ARGUMENTS[old]
            if new in kwargs:
                raise TypeError(f"{old} is the old name of {new}, which is given too; leave it out")
            logger.info("%s: transformers calls it %s by now", old, new)
            kwargs[new] = kwargs.pop(old)
        super().__init__(*args, **kwargs)
