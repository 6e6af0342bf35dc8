"""The store: where files lie, how they appear whole or not at all, who may write, and what identifies their content.

Everything above names a location, reads the local path that `local_path` gives, and writes through `publishing`. A
location is on this machine today; object storage is added in this folder alone.
"""

from sparse_core.store.cache import CACHE_VARIABLE, cache_root, cached
from sparse_core.store.identity import code_identity, file_sha256, identity
from sparse_core.store.location import is_object, local_path
from sparse_core.store.lock import locked
from sparse_core.store.manifest import MANIFEST_NAME, FileEntry, file_entries, read_manifest
from sparse_core.store.publish import (
    publishing,
    publishing_file,
    publishing_into,
    require_free,
    require_room,
    write_json,
)

__all__ = [
    "CACHE_VARIABLE",
    "MANIFEST_NAME",
    "FileEntry",
    "cache_root",
    "cached",
    "code_identity",
    "file_entries",
    "file_sha256",
    "identity",
    "is_object",
    "local_path",
    "locked",
    "publishing",
    "publishing_file",
    "publishing_into",
    "read_manifest",
    "require_free",
    "require_room",
    "write_json",
]
