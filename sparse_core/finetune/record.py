"""The record that a training command keeps in output_dir: what all that is there is the result of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sparse_core import __version__
from sparse_core.errors import OutputError
from sparse_core.store import write_json

if TYPE_CHECKING:
    from sparse_core.finetune.command_line import Arguments

RECORD_NAME = "training_run.json"
ANEW = "start anew with --overwrite_output_dir, or name another folder"
_ENTRIES = ("sparse_core", "settings", "contents")
_NOT_OF_THE_RESULT = (
    *("overwrite_cache", "preprocessing_num_workers", "num_export_samples", "cache_dir"),
    *("use_auth_token", "use_fast_tokenizer", "test_file", "max_predict_samples"),
)
_OF_THE_RESULT = (
    *("seed", "data_seed", "num_train_epochs", "max_steps"),
    *("per_device_train_batch_size", "gradient_accumulation_steps", "dataloader_drop_last", "train_sampling_strategy"),
    *("learning_rate", "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps"),
    *("optim", "optim_args", "optim_target_modules", "adam_beta1", "adam_beta2", "adam_epsilon"),
    *("weight_decay", "max_grad_norm", "label_smoothing_factor", "neftune_noise_alpha", "bf16", "fp16"),
    *("load_best_model_at_end", "best_model_after_epoch", "metric_for_best_model", "greater_is_better"),
)
"""Training flags that decide the weights; the others say what is logged, saved and measured, and on which device."""
_LONGEST_SHOWN = 80


def settings_of(arguments: Arguments) -> dict[str, Any]:
    """The flags that decide what a training gives, by name, and the command; all as JSON values."""
    parts = {**asdict(arguments.model), **asdict(arguments.data), **asdict(arguments.recipe)}
    training = arguments.training.to_dict()
    settings = {
        "command": arguments.command.task,
        **{name: value for name, value in parts.items() if name not in _NOT_OF_THE_RESULT},
        **{name: training[name] for name in _OF_THE_RESULT},
    }
    return json.loads(json.dumps(settings))


def write_record(output_dir: Path, settings: Mapping[str, Any], contents: Mapping[str, str]) -> None:
    """Writes the record.

    Args:
        output_dir: where.
        settings: of `settings_of`.
        contents: flag -> fingerprint of what it names.
    """
    write_json(output_dir / RECORD_NAME, dict(zip(_ENTRIES, (__version__, settings, contents), strict=True)))


def read_record(output_dir: Path) -> dict[str, Any] | None:
    """The record of an earlier command, or None where there is none.

    Raises:
        OutputError: there is a file of that name that no training command has written.
    """
    path = output_dir / RECORD_NAME
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        record = None
    if not isinstance(record, dict) or record.keys() != set(_ENTRIES):
        raise OutputError(
            f"--output_dir: {path} was not written by a training command, which keeps its record by that name; rename "
            "it, or name another folder"
        )
    return record


def require_same(
    output_dir: Path, record: Mapping[str, Any], part: Literal["settings", "contents"], now: Mapping[str, Any]
) -> None:
    """Refuses a run that differs from the one on record.

    Args:
        output_dir: for the message.
        record: of `read_record`.
        part: what of it to compare.
        now: the values of this run.

    Raises:
        OutputError: a value differs.
    """
    for name, value in now.items():
        earlier = record[part].get(name)
        if earlier != value:
            difference = (
                f"with another content of --{name}" if part == "contents" else _difference(name, earlier, value)
            )
            raise OutputError(f"--output_dir: {output_dir} holds a run {difference}; {ANEW}")


def _difference(name: str, earlier: Any, now: Any) -> str:
    flag = "the command" if name == "command" else f"--{name}"
    if max(len(repr(earlier)), len(repr(now))) > _LONGEST_SHOWN:
        return f"with another {flag}"
    if earlier is None:
        return f"without {flag}, which is {now!r} now"
    return f"with {flag} {earlier!r}, which is {'not given' if now is None else repr(now)} now"
