"""The cache: results that can be made again, kept under a name that says what made them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from sparse_core.store.publish import publish_once

CACHE_VARIABLE = "SPARSE_CORE_CACHE"


def cache_root() -> Path:
    """Folder for what can be made again (token ids, teacher outputs) and for the checkpoints of unfinished steps.

    `SPARSE_CORE_CACHE` names the folder; without that variable it is `~/.cache/sparse_core`. Mount a volume there to
    let a step that was killed on one machine go on from its checkpoint on another.
    """
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "sparse_core")


def cached(kind: str, key: str, write: Callable[[Path], None], *, anew: bool = False) -> tuple[Path, bool]:
    """The file or folder of a result, made now unless it is there.

    Args:
        kind: folder of the cache, such as "tokens".
        key: names the result: an identity of all that decides its content, the code that makes it included.
        write: makes the result at the path that it is given.
        anew: make the result even if it is there.

    Returns:
        The path of the result, and whether it was there before.
    """
    path = cache_root() / kind / key
    if anew and path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        return path, True
    publish_once(path, write)
    return path, False
