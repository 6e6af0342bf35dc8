"""Locks: one process writes into a folder at a time.

The lock is advisory (`flock`) and ends with its process, also when the process is killed. For a prefix in object
storage, `locked` writes an object with a condition and renews it, since no process there ends a lock by ending.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sparse_core.errors import OutputError

LOCK_NAME = ".lock"
"""File in a locked folder, with the number of the process that holds it."""


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds `directory` for this process, and makes it where it is missing.

    Raises:
        OutputError: another process holds the folder, or the folder cannot be written to; the setting is output_dir.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / LOCK_NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise OutputError(
            "output_dir", f"{directory} cannot be written to: {error.strerror}", fix="name another folder"
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise OutputError(
                "output_dir",
                f"{directory} is in use by process {lock.read().strip() or 'unknown'}",
                fix="wait for that process or name another folder",
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
