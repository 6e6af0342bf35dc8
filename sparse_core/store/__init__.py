"""The store: locations, publishing whole or not at all, locks, the identity of content, and the cache.

Code above the store names a location, reads at the path that `local_path` returns, and writes through `publishing`. All
locations are on this machine today. Object storage comes into this folder alone:

- `location` knows which locations are objects, also as a `Path` ("s3:/bucket/key"), so that a location travels through
  parameters of type `Path`. `local_path` downloads an object and returns the copy.
- `publish` gives the writer a local folder as it does now, and uploads the folder when the block ends: the manifest
  last, with a condition, so that a reader never sees half of it.
- `manifest` has the sizes and hashes that a download is checked against, and that `identity` takes without a download.
- `lock` holds an object by a conditional write with a lease.
- `cache` looks for a result in the shared cache before it makes it, and uploads what it made.
"""

from sparse_core.store.cache import CACHE_VARIABLE, cache_root, cached
from sparse_core.store.identity import code_identity, file_sha256, identity
from sparse_core.store.location import is_object, local_path
from sparse_core.store.lock import LOCK_NAME, locked
from sparse_core.store.manifest import MANIFEST_NAME, FileEntry, file_entries, read_manifest
from sparse_core.store.publish import (
    is_partial,
    publishing,
    publishing_file,
    publishing_into,
    require_free,
    require_room,
    write_json,
)

__all__ = [
    "CACHE_VARIABLE",
    "LOCK_NAME",
    "MANIFEST_NAME",
    "FileEntry",
    "cache_root",
    "cached",
    "code_identity",
    "file_entries",
    "file_sha256",
    "identity",
    "is_object",
    "is_partial",
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
