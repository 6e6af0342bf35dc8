"""The files of a published folder as its manifest lists them: sizes, times and hashes.

`sparse_core.artifacts` says what else stands in a manifest. The store reads the list of files alone. A folder in object
storage has the same manifest: a download is checked against its sizes and hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from sparse_core.errors import ArtifactError

MANIFEST_NAME = "manifest.json"
_HASH_CHUNK_BYTES = 1 << 20


class FileEntry(BaseModel):
    """A file of a published folder."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    size_bytes: int
    modified_ns: int | None = None
    """Time of the last change, in nanoseconds since 1970, where the manifest was written. None in old manifests."""

    def fits(self, path: Path) -> bool:
        """Whether `path` has the size and the time of this entry, so that its hash need not be made again."""
        status = path.stat()
        return status.st_size == self.size_bytes and status.st_mtime_ns == self.modified_ns


def file_sha256(path: Path) -> str:
    """SHA-256 of the file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def files_of(directory: Path) -> dict[str, Path]:
    """The files below `directory` by their relative names, sorted, without its manifest and without hidden files.

    Hidden files are locks, partial results, and what download tools and version control keep: no content.
    """
    names = {path.relative_to(directory): path for path in directory.rglob("*") if path.is_file()}
    visible = {
        name.as_posix(): path for name, path in names.items() if not any(part.startswith(".") for part in name.parts)
    }
    return {name: visible[name] for name in sorted(visible) if name != MANIFEST_NAME}


def file_entries(directory: Path, names: Iterable[str] | None = None) -> dict[str, FileEntry]:
    """An entry for each file below `directory`, for its manifest.

    Args:
        directory: the folder.
        names: relative names of the files to list, where not all of them count; those that do not exist are left out.
    """
    files, entries = files_of(directory), {}
    for name in files if names is None else sorted(set(names) & set(files)):
        status = files[name].stat()
        sha256 = file_sha256(files[name])
        entries[name] = FileEntry(sha256=sha256, size_bytes=status.st_size, modified_ns=status.st_mtime_ns)
    return entries


def read_manifest(directory: Path) -> dict[str, Any]:
    """The manifest of a folder as JSON values; an empty dict where the folder has none.

    Raises:
        ArtifactError: the manifest is damaged.
    """
    path = directory / MANIFEST_NAME
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError("", f"{path} is damaged ({error})", fix="make the artifact again") from None
    if not isinstance(manifest, dict):
        raise ArtifactError("", f"{path} is damaged (it is no JSON object)", fix="make the artifact again")
    return manifest


def listed_files(directory: Path) -> dict[str, FileEntry]:
    """The files that the manifest of `directory` lists; empty where it has none, or another program's."""
    try:
        files = read_manifest(directory).get("files", {})
        return {name: FileEntry.model_validate(entry) for name, entry in files.items()}
    except (ArtifactError, AttributeError, ValidationError):
        return {}
