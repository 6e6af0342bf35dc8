"""Training arguments: Hugging Face's, with defaults that do not waste time."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import transformers

from sparse_core.errors import ConfigError
from sparse_core.training.old_arguments import renamed_arguments

logger = logging.getLogger(__name__)


@dataclass
class _Arguments(transformers.TrainingArguments):
    train_sampling_strategy: str = field(
        default="group_by_length", metadata={"help": "Put rows of similar length into one batch."}
    )
    logging_steps: float = field(default=50, metadata={"help": "Optimizer steps between two log lines."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Checkpoints to keep."})
    best_model_after_epoch: float | None = field(
        default=None,
        metadata={"help": "With load_best_model_at_end: only checkpoints after this epoch can be the best."},
    )
    overwrite_output_dir: bool = field(
        default=False, metadata={"help": "Commands: start over in an output_dir that holds an earlier run."}
    )


class TrainingArguments(_Arguments):
    """Hugging Face's TrainingArguments with other defaults, and with fields that SparseML had.

    Batches hold rows of similar length, so that little is padded. Logs come every 50 steps. At most two checkpoints are
    kept. `best_model_after_epoch` is SparseML's; scripts and the commands use `overwrite_output_dir`.
    """

    _argument_group_name = "training"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes Hugging Face's arguments, also by the names and with the values that transformers 4 had."""
        super().__init__(*args, **renamed_arguments(kwargs))


def export_token(args: transformers.TrainingArguments) -> None:
    """Moves the hub's token from the arguments, which are written into files, to the variable HF_TOKEN."""
    if args.hub_token is not None:
        os.environ["HF_TOKEN"], args.hub_token = args.hub_token, None
        logger.info("hub_token: moved to the environment variable HF_TOKEN, so that no file holds it")


def only_value(arguments: dict[str, Any]) -> Any:
    """The value of an argument that has several names; None: it has no value.

    Raises:
        ConfigError: two of the names are given.
    """
    values = {name: value for name, value in arguments.items() if value is not None}
    if len(values) > 1:
        first, second = list(values)[:2]
        raise ConfigError(second, f"is the same as {first}, which is given too", fix="leave one of them out")
    return next(iter(values.values()), None)


def metadata_from(names: Sequence[str], args: transformers.TrainingArguments, data_args: Any) -> dict[str, Any]:
    """Values of the named arguments; a warning lists those that are not set."""
    values = {**(data_args if isinstance(data_args, dict) else vars(data_args or object)), **args.to_dict()}
    missing = [name for name in names if values.get(name) is None]
    if missing:
        logger.warning("metadata_args: not recorded, because they are not set: %s", ", ".join(missing))
    return {name: values[name] for name in names if name not in missing}
