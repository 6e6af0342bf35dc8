"""What a step leaves behind: a directory that appears whole or not at all, with a manifest of its files.

A step writes into a staging directory beside its output and the staging directory is renamed when the step has
succeeded, so that a reader never sees half an artifact and a killed step leaves the output path free.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sparse_core import __version__
from sparse_core.errors import OutputError

MANIFEST_NAME = "manifest.json"
CACHE_VARIABLE = "SPARSE_CORE_CACHE"
_LOCK_NAME = ".lock"
_HASH_CHUNK_BYTES = 1 << 20
_PARTIAL_NAME = re.compile(r"\..+\.[0-9a-f]{16}\.partial")
_ABANDONED_SECONDS = 24 * 3600  # without a write; far beyond the silence of any writer, and of clocks that differ


def cache_root() -> Path:
    """Directory for what can be made again (token ids, teacher logits) and for the checkpoints of unfinished steps.

    `SPARSE_CORE_CACHE` names it; without that variable it is `~/.cache/sparse_core`. Mount a volume there to let a
    step that was killed on one machine go on from its checkpoint on another.
    """
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "sparse_core")


def file_sha256(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def fingerprint(*parts: Path | str | int | float | bool | None) -> str:
    """SHA-256 over the parts: contents and relative names for paths (a manifest left out), text for the others.

    Two directories with the same files have the same fingerprint wherever they lie.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for name, file_hash in sorted(_hashes(part).items()):
                digest.update(f"{name}\0{file_hash}\0".encode())
        else:
            digest.update(f"{part!r}\0".encode())
    return digest.hexdigest()


def _hashes(path: Path) -> dict[str, str]:
    if path.is_file():
        return {path.suffix: file_sha256(path)}
    files = (file for file in path.rglob("*") if file.is_file() and file.name != MANIFEST_NAME)
    return {file.relative_to(path).as_posix(): file_sha256(file) for file in files}


@contextmanager
def staged(output: Path, step: str, **facts: Any) -> Iterator[Path]:
    """Yields an empty staging directory; when the block ends well, writes its manifest and renames it to `output`.

    Args:
        output: where the artifact shall appear; must not exist, or be an empty directory.
        step: name of the step that makes the artifact, kept in the manifest.
        facts: more JSON values for the manifest.

    Raises:
        OutputError: `output` already holds files, or is a file.
    """
    require_free(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with partial_path(output) as staging:
        staging.mkdir()
        yield staging
        write_manifest(staging, step, **facts)
        if output.is_dir():
            output.rmdir()
        staging.rename(output)


@contextmanager
def partial_path(path: Path) -> Iterator[Path]:
    """Yields a free name beside `path` for one writer, to be renamed to `path` when the file or folder is whole.

    What has that name when the block ends is removed. The name is random: containers that share a volume have the same
    process numbers. What killed writers left in the folder goes when nothing in it was written for a day.
    """
    for leftover in path.parent.glob(".*.partial"):
        if _PARTIAL_NAME.fullmatch(leftover.name) and _last_write(leftover) < time.time() - _ABANDONED_SECONDS:
            _remove(leftover)
    partial = path.with_name(f".{path.name}.{secrets.token_hex(8)}.partial")
    try:
        yield partial
    finally:
        _remove(partial)


def publish(partial: Path, path: Path) -> None:
    """Renames what is whole to a name that says its content; a folder that another process published first stays."""
    try:
        partial.rename(path)
    except OSError:
        if not path.is_dir():
            raise


def _last_write(path: Path) -> float:
    """Unix time of the last write to a file, or to anything in a folder; infinite for what is gone or not readable."""
    try:
        return max(file.lstat().st_mtime for file in (path, *path.rglob("*")))
    except OSError:
        return math.inf


def _remove(path: Path) -> None:
    with suppress(OSError):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def exclusive(directory: Path, setting: str) -> Iterator[None]:
    """Holds `directory`, made if need be, for this process; the lock goes with the process, however it ends.

    Args:
        directory: what no other process may use meanwhile.
        setting: name of the setting that chose it, for the message.

    Raises:
        OutputError: another process holds it, or it cannot be written to.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / _LOCK_NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{setting}: {directory} cannot be written to: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise OutputError(
                f"{setting}: {directory} is in use by process {lock.read().strip() or 'unknown'}; "
                "wait for it or name another folder"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def require_free(output: Path) -> None:
    """Refuses an output path that already holds something.

    Raises:
        OutputError: `output` is a file or a directory with files in it.
    """
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise OutputError(
            f"output: {output} is already in use and would be overwritten; name a new folder or remove it"
        )


def write_manifest(directory: Path, step: str, **facts: Any) -> None:
    """Writes `manifest.json`: step, version of this library, time, `facts`, and size and SHA-256 of each file."""
    files = {
        name: {"sha256": sha256, "size_bytes": (directory / name).stat().st_size}
        for name, sha256 in sorted(_hashes(directory).items())
    }
    manifest = {"step": step, "sparse_core": __version__, "created_unix": int(time.time()), **facts, "files": files}
    write_json(directory / MANIFEST_NAME, manifest)


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of an artifact, or an empty dict where the directory has none (a plain Hugging Face directory)."""
    path = directory / MANIFEST_NAME
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as JSON so that `path` holds either its old content or all of the new one."""
    with partial_path(path) as partial:
        partial.write_text(json.dumps(value, indent=2, sort_keys=False, allow_nan=False) + "\n", encoding="utf-8")
        partial.replace(path)


def require_disk_space(directory: Path, needed_bytes: int, purpose: str) -> None:
    """Refuses to start work that the disk has no room for.

    Raises:
        OutputError: the file system of `directory` has less than `needed_bytes` free.
    """
    existing = directory
    while not existing.exists():
        existing = existing.parent
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise OutputError(
            f"output: {directory} has {free_bytes / 1e9:.2f} GB free, but {purpose} needs {needed_bytes / 1e9:.2f} GB; "
            "free some space or choose another disk"
        )
