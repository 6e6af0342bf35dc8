"""Publishing: files and folders appear whole or not at all.

A writer works in a place beside the target and renames it when all is written. A reader never sees half a result, and
a killed writer leaves the target as it was.
"""

from __future__ import annotations

import json
import math
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sparse_core.errors import OutputError

_PARTIAL_NAME = re.compile(r"\..+\.[0-9a-f]{16}\.partial")
_ABANDONED_SECONDS = 24 * 3600  # without a write; longer than any writer is silent, and than clocks differ


@contextmanager
def publishing(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yields an empty folder that becomes `target` when the block ends without an error.

    Args:
        target: where the folder appears; must not exist, or be an empty folder, unless it is replaced.
        replace: an earlier folder of that name gives way.

    Raises:
        OutputError: `target` holds something and is not replaced.
    """
    if not replace:
        require_free(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with _partial(target) as staging:
        staging.mkdir()
        yield staging
        _take_place(staging, target)


@contextmanager
def publishing_file(target: Path) -> Iterator[Path]:
    """Yields a free path that becomes `target` when the block ends without an error; an earlier file gives way."""
    _make_parent(target)
    with _partial(target) as partial:
        yield partial
        partial.replace(target)


@contextmanager
def publishing_into(
    directory: Path, *, last: str, outdated: Callable[[str], bool] = lambda name: False
) -> Iterator[Path]:
    """Yields an empty folder whose files move into `directory` when the block ends without an error.

    For a folder that holds other things too. `last` is what makes the files count: its earlier version goes first and
    its new one comes last, so that no mixture of old and new files is taken for a result.

    Args:
        directory: where the files appear; other files there stay.
        last: name of the file that makes the others count.
        outdated: whether a file of that name in `directory` belongs to the earlier result, and has to go.
    """
    with _partial(directory / "files") as staging:
        staging.mkdir(parents=True)
        yield staging
        (directory / last).unlink(missing_ok=True)
        for file in list(directory.iterdir()):
            if outdated(file.name):
                file.unlink()
        for file in sorted(staging.iterdir(), key=lambda file: file.name == last):
            file.replace(directory / file.name)


def publish_once(target: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` make a file or folder and renames it to `target`, whose name says what its content is.

    Where another process has published `target` meanwhile, that one stays: its content is the same.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with _partial(target) as partial:
        write(partial)
        try:
            partial.rename(target)
        except OSError:
            if not target.is_dir():
                raise


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as JSON so that `path` holds its old content or all of the new one."""
    with publishing_file(path) as partial:
        partial.write_text(json.dumps(value, indent=2, sort_keys=False, allow_nan=False) + "\n", encoding="utf-8")


def require_free(target: Path) -> None:
    """Refuses a target that holds something.

    Raises:
        OutputError: `target` is a file, or a folder with files in it.
    """
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise OutputError(
            "output",
            f"{target} is already in use and would be overwritten",
            fix="name a new folder or remove this one",
        )


def require_room(directory: Path, needed_bytes: int, purpose: str) -> None:
    """Refuses work that the disk has no room for.

    Raises:
        OutputError: the file system of `directory` has less than `needed_bytes` free.
    """
    existing = directory
    while not existing.exists():
        existing = existing.parent
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise OutputError(
            "output",
            f"{directory} has {free_bytes / 1e9:.2f} GB free, but {purpose} needs {needed_bytes / 1e9:.2f} GB",
            fix="free some space or choose another disk",
        )


def _make_parent(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            "output", f"{target.parent} cannot be written to: {error.strerror}", fix="name another folder"
        ) from None


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Yields a free name beside `target` for one writer; what has that name when the block ends is removed.

    The name is random, because containers that share a volume have the same process numbers. What killed writers left
    behind is removed when nothing in it was written for a day.
    """
    for leftover in target.parent.glob(".*.partial"):
        if _PARTIAL_NAME.fullmatch(leftover.name) and _last_write(leftover) < time.time() - _ABANDONED_SECONDS:
            _remove(leftover)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    try:
        yield partial
    finally:
        _remove(partial)


def _take_place(staging: Path, target: Path) -> None:
    """Renames `staging` to `target`, whose earlier content is moved away first and removed last."""
    if not target.exists():
        staging.rename(target)
        return
    with _partial(target) as earlier:
        target.rename(earlier)
        staging.rename(target)


def _last_write(path: Path) -> float:
    """Unix time of the last write to a file, or to anything in a folder; infinite for what cannot be read."""
    try:
        return max(file.lstat().st_mtime for file in (path, *path.rglob("*")))
    except OSError:
        return math.inf


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
