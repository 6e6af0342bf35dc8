"""The one place where a text that names a file or directory becomes a path on this machine.

A client for object storage belongs here: it copies what a URI names to a local directory and returns that path, and
nothing else of the library has to know.
"""

from __future__ import annotations

from pathlib import Path

from sparse_core.errors import SparseCoreError

OBJECT_SCHEME = "s3://"


def is_object(uri: str) -> bool:
    """Whether `uri` names an object or a prefix in object storage."""
    return uri.lower().startswith(OBJECT_SCHEME)


def local_path(setting: str, uri: str) -> Path:
    """Where the file or directory that `uri` names lies on this machine.

    Args:
        setting: the setting that names it, for messages.
        uri: a path, in which `~` is the home directory, or `s3://bucket/key`.

    Raises:
        SparseCoreError: it is in object storage, which has no client in this version.
    """
    if is_object(uri):
        raise SparseCoreError(
            f"{setting}: {uri} is in object storage, which this version cannot read; copy it to this machine, for "
            "example with `aws s3 cp --recursive`, and give the path of the copy"
        )
    return Path(uri).expanduser()
