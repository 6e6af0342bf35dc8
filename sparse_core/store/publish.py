"""Publishing: files and folders appear whole or not at all.

A writer works in a place beside the target, which is renamed when all is written. A reader never sees half a result,
and a killed writer leaves the target as it was.

For a target in object storage, `publishing` and `publish_once` upload the folder in place of renaming it, the manifest
last; the local folder is one of the cache.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sparse_core.errors import OutputError, renamed_settings
from sparse_core.store.location import local_path

_PARTIAL_NAME = re.compile(r"\..+\.[0-9a-f]{16}\.partial")
_ABANDONED_SECONDS = 24 * 3600  # without a write: longer than a writer pauses, and than clocks differ
_CURRENT_FOLDER, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


@contextmanager
def publishing(target: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yields an empty folder that becomes `target` when the block ends without an error.

    Args:
        target: where the folder appears; must not exist, or be an empty folder, unless it is replaced.
        replace: an earlier folder of that name is replaced in one step.

    Raises:
        OutputError: `target` is in use and is not replaced, or cannot be written; the setting is output.
    """
    target = _local_target(target)
    if not replace:
        require_free(target)
    with _partial(target) as staging:
        staging.mkdir()
        yield staging
        if replace:
            _replace(staging, target)
        else:
            _rename(staging, target)


@contextmanager
def publishing_file(target: Path) -> Iterator[Path]:
    """Yields a free path that becomes `target` when the block ends without an error; an earlier file is replaced.

    Raises:
        OutputError: `target` cannot be written; the setting is output.
    """
    target = _local_target(target)
    with _partial(target) as partial:
        yield partial
        partial.replace(target)


@contextmanager
def publishing_into(
    directory: Path, *, last: str, outdated: Callable[[str], bool] = lambda name: False
) -> Iterator[Path]:
    """Yields an empty folder whose files move into `directory` when the block ends without an error.

    For a folder that holds other things too. The files count only together with the file `last`. Its earlier version is
    removed first and its new version is moved last, so that a mixture of old and new files never counts.

    Args:
        directory: where the files appear; other files there stay.
        last: name of the file that makes the others count.
        outdated: whether a file of that name in `directory` belongs to the earlier result and has to be removed.

    Raises:
        OutputError: `directory` cannot be written; the setting is output.
    """
    directory = _local_target(directory / "files").parent
    with _partial(directory / "files") as staging:
        staging.mkdir()
        yield staging
        (directory / last).unlink(missing_ok=True)
        for file in list(directory.iterdir()):
            if outdated(file.name):
                _remove(file)
        for file in sorted(staging.iterdir(), key=lambda file: file.name == last):
            if file.is_dir():
                _remove(directory / file.name)
            file.replace(directory / file.name)


def publish_once(target: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` make a file or folder and renames it to `target`, whose name says what its content is.

    If another process has published `target` in the meantime, its result stays: the content is the same.

    Raises:
        OutputError: `target` cannot be written; the setting is output.
    """
    target = _local_target(target)
    with _partial(target) as partial:
        write(partial)
        try:
            partial.rename(target)
        except OSError:
            if not target.is_dir():
                raise


def publish_over(target: Path, write: Callable[[Path], None]) -> None:
    """Lets `write` make a file or folder that replaces `target` in one step.

    Raises:
        OutputError: `target` cannot be written; the setting is output.
    """
    target = _local_target(target)
    with _partial(target) as partial:
        write(partial)
        _replace(partial, target)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as JSON so that `path` has its old content or all of the new one.

    Raises:
        ValueError: the value has a number that is not finite, which JSON does not have.
    """
    text = json.dumps(value, indent=2, sort_keys=False, allow_nan=False)
    with publishing_file(path) as partial:
        partial.write_text(f"{text}\n", encoding="utf-8")


def require_free(target: Path) -> None:
    """Refuses a target that is in use.

    Raises:
        OutputError: `target` is a file, or a folder with files in it; the setting is output.
        ConfigError: `target` is in object storage; the setting is output.
    """
    with renamed_settings({"location": "output"}):
        target = local_path(target)
    if target.is_file() or (target.is_dir() and any(target.iterdir())):
        raise OutputError(
            "output",
            f"{target} is already in use and would be overwritten",
            fix="name a new folder or remove this one",
        )


def require_room(directory: Path, needed_bytes: int, purpose: str) -> None:
    """Refuses work that the disk has no room for.

    Args:
        directory: where the files will be; it need not exist yet.
        needed_bytes: the most that the files take.
        purpose: what the files are, for the message.

    Raises:
        OutputError: the file system of `directory` has less than `needed_bytes` free; the setting is output.
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


def is_partial(name: str) -> bool:
    """Whether a file or folder of that name is a result that is not published yet."""
    return _PARTIAL_NAME.fullmatch(name) is not None


def _local_target(target: Path) -> Path:
    """The path of `target` on this machine, in a folder that exists."""
    with renamed_settings({"location": "output"}):
        target = local_path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            "output", f"{target.parent} cannot be written to: {error.strerror}", fix="name another folder"
        ) from None
    return target


@contextmanager
def _partial(target: Path) -> Iterator[Path]:
    """Yields a free name beside `target` for one writer; what has that name when the block ends is removed.

    The name is random, because containers that share a volume may have the same process numbers. Partial results that
    killed writers left are removed when nothing was written to them for a day.
    """
    for leftover in target.parent.glob(".*.partial"):
        if is_partial(leftover.name) and _last_write(leftover) < time.time() - _ABANDONED_SECONDS:
            _remove(leftover)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(8)}.partial")
    try:
        yield partial
    finally:
        _remove(partial)


def _rename(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)
    except OSError:
        require_free(target)  # another writer was faster
        raise


def _replace(staging: Path, target: Path) -> None:
    """Gives `staging` the name `target`; what had that name has the name of `staging` afterwards.

    Linux exchanges two names in one step. File systems that cannot (some network ones) need two steps, and a kill
    between them leaves the earlier result beside the target, under a name that is never cleaned up.
    """
    try:
        staging.rename(target)  # replaces a file, an empty folder or nothing
    except OSError:
        if not target.exists():
            raise
    else:
        return
    if not _exchange(staging, target):
        earlier = target.with_name(f".{target.name}.{secrets.token_hex(8)}.earlier")
        target.rename(earlier)
        staging.rename(target)
        earlier.rename(staging)


def _exchange(first: Path, second: Path) -> bool:
    """Exchanges the names of two files or folders in one step; False where the system cannot."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return False
    return rename(_CURRENT_FOLDER, os.fsencode(first), _CURRENT_FOLDER, os.fsencode(second), _EXCHANGE) == 0


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
