"""The output_dir of a training command: who may write there, and how the result gets there."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts import write_json
from sparse_core.errors import ConfigError, OutputError
from sparse_core.training.checkpoints import last_whole_checkpoint

if TYPE_CHECKING:
    from sparse_core.finetune.command_line import Arguments

logger = logging.getLogger(__name__)

RUN_NAME = "run.json"
"""Written before anything else into output_dir: the settings that what is there is the result of."""
_LOCK_NAME = ".lock"
_NOT_OF_THE_RESULT = ("overwrite_cache", "preprocessing_num_workers", "num_export_samples", "cache_dir")
_CONFIG_NAME = "config.json"
_WEIGHT_PATTERNS = ("model*.safetensors", "model*.safetensors.index.json")


def settings_of(arguments: Arguments) -> dict[str, Any]:
    """The settings that decide what a training gives; a run with others does not go on from its checkpoints."""
    parts = {**asdict(arguments.data), **asdict(arguments.model), **asdict(arguments.recipe)}
    settings = {name: value for name, value in parts.items() if name not in _NOT_OF_THE_RESULT}
    return {"command": arguments.command.task, **settings, "seed": arguments.training.seed}


def checkpoint_to_resume(arguments: Arguments) -> Path | None:
    """The checkpoint that the training goes on from, or None for a training from the start.

    That is the last whole one in output_dir, or the one that --resume_from_checkpoint names. Writes `run.json`. With
    --overwrite_output_dir, the checkpoints that are there are removed.

    Raises:
        ConfigError: --resume_from_checkpoint names no checkpoint.
        OutputError: output_dir holds something else than a run with these settings.
    """
    training, output_dir = arguments.training, Path(arguments.training.output_dir)
    settings = settings_of(arguments)
    given = training.resume_from_checkpoint
    if training.overwrite_output_dir:
        for checkpoint in output_dir.glob("checkpoint-*"):
            shutil.rmtree(checkpoint)
    elif _holds_something(output_dir):
        _require_same(output_dir, settings)
    write_json(output_dir / RUN_NAME, settings)
    if given is not None and given.lower() == "false":
        return None
    if given is not None and given.lower() != "true":
        if not Path(given).is_dir():
            raise ConfigError(f"--resume_from_checkpoint: {given} is not a directory; name a checkpoint-N folder")
        return Path(given)
    found = last_whole_checkpoint(output_dir)
    if found is None and given is not None:
        raise ConfigError(f"--resume_from_checkpoint: {output_dir} has no whole checkpoint; leave the flag out")
    if found is not None:
        logger.info("going on from %s; --overwrite_output_dir starts anew", found)
    return found


def _holds_something(directory: Path) -> bool:
    return directory.is_dir() and any(entry.name != _LOCK_NAME for entry in directory.iterdir())


def _require_same(output_dir: Path, settings: dict[str, Any]) -> None:
    anew = "name another folder, or start anew with --overwrite_output_dir"
    try:
        earlier = json.loads((output_dir / RUN_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise OutputError(
            f"--output_dir: {output_dir} is not empty, and no training command has written it; {anew}"
        ) from None
    if not (output_dir / _CONFIG_NAME).exists() and last_whole_checkpoint(output_dir) is None:
        return  # nothing came of it, perhaps because of what is changed now
    for name, value in settings.items():
        if earlier.get(name) != value:
            raise OutputError(
                f"--output_dir: {output_dir} holds a run with {name} {earlier.get(name)!r}, not {value!r}; {anew}"
            )


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
        (output_dir / _CONFIG_NAME).unlink(missing_ok=True)
        for pattern in _WEIGHT_PATTERNS:
            for weights in output_dir.glob(pattern):
                weights.unlink()
        for file in sorted(partial.iterdir(), key=lambda file: file.name == _CONFIG_NAME):
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
    together = output_dir / "all_results.json"
    try:
        earlier = json.loads(together.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        earlier = {}
    finite = {name: value if value == value and abs(value) != float("inf") else None for name, value in metrics.items()}
    write_json(output_dir / f"{split}_results.json", finite)
    write_json(together, {**earlier, **finite})
