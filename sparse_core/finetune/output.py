"""The output_dir of a training command: who may write there, and how the result gets there."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from transformers.trainer import TRAINER_STATE_NAME

from sparse_core.artifacts.model import CONFIG_NAME, is_model_file, is_weight_file
from sparse_core.errors import ConfigError, OutputError
from sparse_core.finetune.arguments import DISABLE_TEACHER, SELF_TEACHER
from sparse_core.finetune.record import ANEW, RECORD_NAME, read_record, require_same, settings_of, write_record
from sparse_core.finetune.samples import INPUTS_FOLDER, OUTPUTS_FOLDER
from sparse_core.sources.data.glue import NAMED_TASKS
from sparse_core.store import write_json
from sparse_core.training.checkpoints import last_whole_checkpoint

if TYPE_CHECKING:
    from sparse_core.finetune.command_line import Arguments

logger = logging.getLogger(__name__)

_MODEL_FLAGS = ("model_name_or_path", "config_name", "tokenizer_name", "distill_teacher")
_FILE_FLAGS = ("recipe", "resume_from_checkpoint", "train_file", "validation_file", "test_file")
"""Flags that may name output_dir, or something in it."""
_ALL_RESULTS_NAME = "all_results.json"
_NAMES = {
    *(TRAINER_STATE_NAME, INPUTS_FOLDER, OUTPUTS_FOLDER),
    *(_ALL_RESULTS_NAME, "train_results.json", "eval_results.json", "predict_results.json"),
    *("predictions.txt", "predict_predictions.json", "predict_results.txt"),
    *(f"predict_results_{name}.txt" for name in (*NAMED_TASKS, "mnli-mm", "mm")),
}
_CHECKPOINT = re.compile(r"(cut-short-)?checkpoint-\d+")
_OF_THE_MOMENT = re.compile(r"\.lock|\..*\.partial")


# --- before the training ----------------------------------------------------------------------------------------------


def checkpoint_to_resume(arguments: Arguments) -> Path | None:
    """The checkpoint that the training goes on from, or None for a training from the start; changes nothing.

    That is the last whole one in output_dir, or the one that --resume_from_checkpoint names.

    Raises:
        ConfigError: --resume_from_checkpoint names no checkpoint.
        OutputError: output_dir holds something else than a run with these settings, or something that other flags name
            and the command would remove or write over.
    """
    training, output_dir = arguments.training, Path(arguments.training.output_dir)
    _require_inputs_stay(arguments)
    record = read_record(output_dir)
    if not training.overwrite_output_dir:
        if record is None and _holds_something(arguments):
            raise OutputError(
                f"--output_dir: {output_dir} is not empty, and no training command has written it; {ANEW}"
            )
        if record is not None and _came_to_something(output_dir):
            require_same(output_dir, record, "settings", settings_of(arguments))
    given = training.resume_from_checkpoint
    if given is not None and given.lower() == "false":
        return None
    if given is not None and given.lower() != "true":
        checkpoint = Path(given).expanduser()
        if not checkpoint.is_dir():
            raise ConfigError(f"--resume_from_checkpoint: {given} is not a directory; name a checkpoint-N folder")
        return checkpoint
    found = None if training.overwrite_output_dir else last_whole_checkpoint(output_dir)
    if found is None and given is not None:
        raise ConfigError(f"--resume_from_checkpoint: {output_dir} has no whole checkpoint; leave the flag out")
    if found is not None:
        logger.info("going on from %s; --overwrite_output_dir starts anew", found)
    return found


def require_same_contents(arguments: Arguments, contents: Mapping[str, str]) -> None:
    """Refuses to go on with files that have changed since the earlier run.

    Args:
        arguments: the command's.
        contents: flag -> fingerprint of what it names.

    Raises:
        OutputError: output_dir holds a run with other contents.
    """
    output_dir = Path(arguments.training.output_dir)
    record = None if arguments.training.overwrite_output_dir else read_record(output_dir)
    if record is not None and _came_to_something(output_dir):
        require_same(output_dir, record, "contents", contents)


def begin(arguments: Arguments, contents: Mapping[str, str]) -> None:
    """Records what the result will be of, after removing what an earlier run wrote where this one starts anew.

    The first to go is config.json, without which nothing is taken for a model, and the earlier record is replaced
    last: after a kill in between, a command goes on with what is left of the earlier run, starts anew, or refuses.

    Args:
        arguments: the command's.
        contents: flag -> fingerprint of what it names.
    """
    output_dir, overwrites = Path(arguments.training.output_dir), arguments.training.overwrite_output_dir
    if overwrites or not _came_to_something(output_dir):
        for path in _written(output_dir):
            if not overwrites and _CHECKPOINT.fullmatch(path.name):
                continue  # cut short, or another Trainer's
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    write_record(output_dir, settings_of(arguments), contents)


def _came_to_something(output_dir: Path) -> bool:
    return (output_dir / CONFIG_NAME).exists() or last_whole_checkpoint(output_dir) is not None


def _holds_something(arguments: Arguments) -> bool:
    """Whether output_dir holds more than this command's own lock, scratch and file with flags."""
    flags = None if arguments.file is None else arguments.file.resolve()
    entries = Path(arguments.training.output_dir).iterdir()
    return any(not _OF_THE_MOMENT.fullmatch(entry.name) and entry.resolve() != flags for entry in entries)


def _written(output_dir: Path) -> list[Path]:
    """What training commands have written into `output_dir`, in the order in which it has to go."""
    found = [path for path in output_dir.iterdir() if _is_written(path.name)]
    return sorted(found, key=lambda path: (path.name != CONFIG_NAME, not _CHECKPOINT.fullmatch(path.name), path.name))


def _is_written(name: str) -> bool:
    return name in _NAMES or is_model_file(name) or _CHECKPOINT.fullmatch(name) is not None


def _require_inputs_stay(arguments: Arguments) -> None:
    """Refuses to remove, or to write over, what the flags name or came from."""
    output_dir, file = Path(arguments.training.output_dir).resolve(), arguments.file
    is_beside = file is not None and file.resolve().parent == output_dir
    if file is not None and is_beside and (file.name == RECORD_NAME or _is_written(file.name)):
        raise OutputError(
            f"--output_dir: {file}, which holds the flags, has a name that the command writes; rename it, or name "
            "another folder"
        )
    removed = _written(output_dir) if arguments.training.overwrite_output_dir else []
    for part in (arguments.model, arguments.data, arguments.recipe, arguments.training):
        for name in (*_MODEL_FLAGS, *_FILE_FLAGS):
            value = getattr(part, name, None)
            if not value or value in (SELF_TEACHER, DISABLE_TEACHER):
                continue
            path = Path(os.path.realpath(os.path.expanduser(value)))
            is_output_dir = name in _MODEL_FLAGS and path == output_dir and bool(removed)
            if is_output_dir or any(path.is_relative_to(entry) for entry in removed):
                raise OutputError(
                    f"--overwrite_output_dir: would remove {value}, which --{name} names; name another --output_dir"
                )


# --- after the training -----------------------------------------------------------------------------------------------


@contextmanager
def published(output_dir: Path) -> Iterator[Path]:
    """Yields an empty directory inside `output_dir`, whose files are moved there when the block ends well.

    config.json comes last, and weights of an earlier model go first, so that no mixture is taken for a model.
    """
    partial = output_dir / ".model.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        yield partial
        (output_dir / CONFIG_NAME).unlink(missing_ok=True)
        for file in list(output_dir.iterdir()):
            if is_weight_file(file.name):
                file.unlink()
        for file in sorted(partial.iterdir(), key=lambda file: file.name == CONFIG_NAME):
            file.replace(output_dir / file.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write_results(output_dir: Path, split: str, metrics: dict[str, float]) -> None:
    """Writes `<split>_results.json`, and adds the metrics to `all_results.json`.

    Args:
        output_dir: where.
        split: "train", "eval" or "predict".
        metrics: by name.
    """
    together = output_dir / _ALL_RESULTS_NAME
    try:
        earlier = json.loads(together.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        earlier = {}
    finite = {name: value if value == value and abs(value) != float("inf") else None for name, value in metrics.items()}
    write_json(output_dir / f"{split}_results.json", finite)
    write_json(together, {**earlier, **finite})
