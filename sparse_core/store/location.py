"""Locations: how the text that names a file or folder becomes a path on this machine.

A client for object storage goes into `local_path`: it downloads the object to a folder of the cache that is named by
the object's identity, and returns that folder.
"""

from __future__ import annotations

import re
from pathlib import Path

from sparse_core.errors import ConfigError

_OBJECT = re.compile(r"(s3|minio):/", re.IGNORECASE)  # one slash: a Path joins the two of "s3://bucket/key"


def is_object(location: str | Path) -> bool:
    """Whether `location` names an object or a prefix in object storage."""
    return _OBJECT.match(str(location)) is not None


def local_path(location: str | Path) -> Path:
    """The path on this machine of the file or folder that `location` names.

    Args:
        location: a path, in which `~` is the home folder, or `s3://bucket/key`.

    Raises:
        ConfigError: the location is in object storage, for which this version has no client; the setting is location.
    """
    if is_object(location):
        raise ConfigError(
            "location",
            f"{location} is in object storage, which this version cannot use",
            fix="copy it to or from this machine, for example with `aws s3 cp --recursive`, and give the local path",
        )
    return Path(location).expanduser()
