"""Identity: what is the same content, wherever it lies."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from sparse_core.store.manifest import file_sha256, files_of, listed_files

__all__ = ["code_identity", "file_sha256", "identity"]


def identity(*parts: Path | str | int | float | bool | None) -> str:
    """SHA-256 over values, and over the names and contents of files and folders, whose manifests are left out.

    Two folders with the same files have the same identity. Where a manifest lists a file with the size and the time
    that it has, the manifest's hash stands for the file's bytes, which are not read again.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            for name, sha256 in _hashes(part):
                digest.update(f"{name}\0{sha256}\0".encode())
        else:
            digest.update(f"{part!r}\0".encode())
    return digest.hexdigest()


@lru_cache
def code_identity(*names: str) -> str:
    """SHA-256 over the code that makes a result, so that a result of older code is not taken for one of newer code.

    Args:
        names: modules and packages of this library, whose source files count, and distributions of others, such as
            "transformers", whose versions count.
    """
    parts: list[str] = []
    for name in names:
        if name.partition(".")[0] in ("sparse_core", "sparse_pipelines"):
            parts += (text for file in _source_files(name) for text in (file.name, file_sha256(file)))
        else:
            with suppress(importlib.metadata.PackageNotFoundError):
                parts.append(f"{name}=={importlib.metadata.version(name)}")
    return identity(*parts)


def _hashes(path: Path) -> Iterable[tuple[str, str]]:
    if path.is_file():
        return [(path.suffix, file_sha256(path))]
    listed = listed_files(path)
    return [
        (name, listed[name].sha256 if name in listed and listed[name].fits(file) else file_sha256(file))
        for name, file in files_of(path).items()
    ]


def _source_files(name: str) -> list[Path]:
    spec = importlib.util.find_spec(name)
    assert spec is not None, name
    if spec.submodule_search_locations is None:
        assert spec.origin is not None, name
        return [Path(spec.origin)]
    return sorted(
        file
        for folder in spec.submodule_search_locations
        for file in Path(folder).rglob("*")
        if file.is_file() and file.suffix != ".pyc"
    )
