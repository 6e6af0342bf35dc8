"""Checkpoints count only when they are whole.

The Trainer writes a checkpoint file by file. A marker with the size of each file follows the last one, by an atomic
rename. A folder without the marker, or with a file of another size, was cut short.
"""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.errors import ModelError
from sparse_core.store import write_json

if TYPE_CHECKING:
    from torch import nn

MARKER_NAME = "checkpoint_complete.json"
_PREFIX = "checkpoint-"
_ASIDE_PREFIX = "cut-short-"

logger = logging.getLogger(__name__)


def mark_whole(checkpoint: Path) -> None:
    """Declares that every file of `checkpoint` has been written."""
    write_json(checkpoint / MARKER_NAME, {"size_bytes": _sizes(checkpoint)})


def is_whole(checkpoint: Path) -> bool:
    """Whether `checkpoint` was written to its end and has all of its files."""
    marker = checkpoint / MARKER_NAME
    if not marker.is_file():
        return False
    expected = json.loads(marker.read_text(encoding="utf-8"))["size_bytes"]
    sizes = _sizes(checkpoint)
    return all(sizes.get(name) == size for name, size in expected.items())


def _sizes(checkpoint: Path) -> dict[str, int]:
    files = (path for path in sorted(checkpoint.rglob("*")) if path.is_file() and path.name != MARKER_NAME)
    return {path.relative_to(checkpoint).as_posix(): path.stat().st_size for path in files}


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix(_PREFIX))


def _checkpoints(directory: Path) -> list[Path]:
    folders = [path for path in directory.glob(f"{_PREFIX}*") if path.name.removeprefix(_PREFIX).isdigit()]
    return sorted(folders, key=_step)


def last_whole_checkpoint(directory: Path) -> Path | None:
    """The whole checkpoint with the most steps in `directory`, or None."""
    return next((path for path in reversed(_checkpoints(directory)) if is_whole(path)), None)


def set_aside_cut_short(directory: Path, keep: Path | None = None) -> None:
    """Renames the checkpoints in `directory` that are not known to be whole, so that none of them counts.

    They are not removed, because a whole checkpoint of another Trainer has no marker either.

    Args:
        directory: the folder with the checkpoints.
        keep: a checkpoint that the user named, which stays.
    """
    for path in _checkpoints(directory):
        if is_whole(path) or (keep is not None and path.resolve() == keep.resolve()):
            continue
        aside = path.with_name(_ASIDE_PREFIX + path.name)
        shutil.rmtree(aside, ignore_errors=True)
        path.rename(aside)
        logger.warning(
            "%s has no %s that fits its files, so it was cut short or written by another Trainer; it is renamed to %s",
            path,
            MARKER_NAME,
            aside.name,
        )


def require_whole(checkpoint: Path) -> None:
    """Refuses a checkpoint that was cut short.

    Raises:
        ModelError: the checkpoint has no marker or lacks a file.
    """
    if not is_whole(checkpoint):
        raise ModelError(
            "resume_from_checkpoint",
            f"{checkpoint} is not whole (no {MARKER_NAME}, or a file of another size)",
            fix="name a checkpoint that was written to its end",
        )


def require_same_tensors(model: nn.Module, load_result: Any) -> None:
    """Refuses a checkpoint whose tensors are not those of the model.

    Args:
        model: the model into which the checkpoint was loaded.
        load_result: the result of torch's `load_state_dict`: `missing_keys` and `unexpected_keys`.

    Raises:
        ModelError: one of the two lacks a tensor of the other.
    """
    absent_by_design = {
        *getattr(model, "all_tied_weights_keys", ()),
        *(getattr(model, "_keys_to_ignore_on_save", None) or ()),
    }
    missing = [name for name in load_result.missing_keys if name not in absent_by_design]
    for names, how in ((missing, "lacks"), (load_result.unexpected_keys, "has, and the model lacks,")):
        if names:
            raise ModelError(
                "resume_from_checkpoint",
                f"the checkpoint {how} {len(names)} tensors, first '{names[0]}'",
                fix="name a checkpoint of this model, quantized as this one is",
            )
