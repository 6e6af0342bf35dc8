"""Locations: how the text that names a file or folder becomes a path on this machine."""

from __future__ import annotations

from pathlib import Path

from sparse_core.errors import ConfigError

_OBJECT_SCHEMES = ("s3://", "minio://")


def is_object(location: str) -> bool:
    """Whether `location` names an object or a prefix in object storage."""
    return location.lower().startswith(_OBJECT_SCHEMES)


def local_path(location: str) -> Path:
    """The path on this machine of what `location` names.

    Args:
        location: a path, in which `~` is the home folder, or `s3://bucket/key`.

    Raises:
        ConfigError: the location is in object storage, for which this version has no client; the setting is "location".
    """
    if is_object(location):
        raise ConfigError(
            "location",
            f"{location} is in object storage, which this version cannot read",
            fix="copy it to this machine, for example with `aws s3 cp --recursive`, and give the path of the copy",
        )
    return Path(location).expanduser()
