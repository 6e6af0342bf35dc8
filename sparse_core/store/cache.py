"""The cache: results that can be made again, stored under a key that says what made them.

A cache that machines share in object storage goes into `cached`: it looks for the key there when the local folder does
not have it, and uploads what it made. The keys are identities of content and code, so they mean the same everywhere.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from sparse_core.errors import renamed_settings
from sparse_core.store.publish import publish_once, publish_over

CACHE_VARIABLE = "SPARSE_CORE_CACHE"


def cache_root() -> Path:
    """Folder of the cache: token ids, teacher outputs, and the checkpoints of unfinished steps.

    `SPARSE_CORE_CACHE` names the folder; without that variable it is `~/.cache/sparse_core`. A volume that is mounted
    there lets a step that was killed on one machine go on from its checkpoint on another.
    """
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "sparse_core")


def cached(kind: str, key: str, write: Callable[[Path], None], *, refresh: bool = False) -> tuple[Path, bool]:
    """The file or folder of a result, which is made unless the cache has it.

    Two processes may make the same result at once. Each of them gets a whole result.

    Args:
        kind: folder of the cache, such as "tokens".
        key: names the result: the identity of all that decides its content, including the code that makes it.
        write: makes the result, a file or a folder, at the path that it receives.
        refresh: make the result again and replace the one in the cache.

    Returns:
        The path of the result, and whether the cache had it.

    Raises:
        OutputError: the cache cannot be written to; the setting is SPARSE_CORE_CACHE.
    """
    path = cache_root() / kind / key
    if path.exists() and not refresh:
        return path, True
    with renamed_settings({"output": CACHE_VARIABLE}):
        (publish_over if refresh else publish_once)(path, write)
    return path, False
