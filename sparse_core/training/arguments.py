"""Training arguments: Hugging Face's, with defaults that do not waste time."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import transformers

from sparse_core.errors import ConfigError
from sparse_core.training.old_arguments import arguments_of_today

logger = logging.getLogger(__name__)


@dataclass
class _Arguments(transformers.TrainingArguments):
    train_sampling_strategy: str = field(
        default="group_by_length", metadata={"help": "Put rows of like length into one batch."}
    )
    logging_steps: float = field(default=50, metadata={"help": "Log every so many optimizer steps."})
    save_total_limit: int | None = field(default=2, metadata={"help": "Whole checkpoints to keep."})
    best_model_after_epoch: float | None = field(
        default=None,
        metadata={"help": "With load_best_model_at_end: only checkpoints after this epoch can be the best."},
    )
    overwrite_output_dir: bool = field(
        default=False, metadata={"help": "Commands: start anew in an output_dir that holds something."}
    )


class TrainingArguments(_Arguments):
    """Hugging Face's TrainingArguments with other defaults, and with fields that they had while SparseML was alive.

    Batches are of like lengths, so that little is padded; logs come every 50 steps; at most two checkpoints are kept.
    `best_model_after_epoch` is SparseML's; `overwrite_output_dir` is for scripts that ask for it, and for the commands.
    """

    _argument_group_name = "training"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Takes Hugging Face's arguments, also by the names and with the values that transformers 4 had."""
        super().__init__(*args, **arguments_of_today(kwargs))


def hand_on_token(args: transformers.TrainingArguments) -> None:
    """Takes the hub's token out of the arguments, which are written into files, and hands it on by HF_TOKEN."""
    if args.hub_token is not None:
        os.environ["HF_TOKEN"], args.hub_token = args.hub_token, None
        logger.info("hub_token: HF_TOKEN is set to it, so that it stands in no file")


def one_of(arguments: dict[str, Any]) -> Any:
    """The argument that was given, of several names for the same; None where there is none."""
    given = {name: value for name, value in arguments.items() if value is not None}
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)}: both are given, and they mean the same; leave one of them out")
    return next(iter(given.values()), None)


def metadata_of(names: Sequence[str], args: transformers.TrainingArguments, data_args: Any) -> dict[str, Any]:
    """Values of the named arguments; those that are not there, or not set, are left out with a line in the log."""
    values = {**(data_args if isinstance(data_args, dict) else vars(data_args or object)), **args.to_dict()}
    lacking = [name for name in names if values.get(name) is None]
    if lacking:
        logger.warning("metadata_args: not recorded, because they are not set: %s", ", ".join(lacking))
    return {name: values[name] for name in names if name not in lacking}
