"""Identity: one hash for the same content, wherever it lies, and for the same code.

An object that was published with a manifest has its identity in that manifest, so nothing has to be downloaded for it.
"""

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

_OWN_PACKAGES = ("sparse_core", "sparse_pipelines")


def identity(*parts: Path | str | int | float | bool | None) -> str:
    """SHA-256 over values, files and folders.

    The type of a value counts: "1" is not 1. A file counts with its bytes and suffix, a folder with the relative names
    and bytes of its files (`files_of`). Where the manifest of a folder lists a file with the size and the time that the
    file has, the hash in the manifest stands for the bytes, which are not read.

    Raises:
        FileNotFoundError: a path does not exist.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Path):
            hashes = list(_hashes(part))
            digest.update(f"{len(hashes)} files\0".encode())
            for name, sha256 in hashes:
                digest.update(f"{name}\0{sha256}\0".encode())
        else:
            digest.update(f"{part!r}\0".encode())
    return digest.hexdigest()


@lru_cache
def code_identity(*names: str) -> str:
    """SHA-256 over the code that makes a result, so that the result of old code is not taken for one of new code.

    Args:
        names: modules and packages of this library, whose source files count, and other distributions, such as
            "transformers", whose versions count.
    """
    parts: list[str] = []
    for name in names:
        if name.partition(".")[0] in _OWN_PACKAGES:
            parts += (text for file in _source_files(name) for text in (*file.parts[-2:], file_sha256(file)))
        else:
            with suppress(importlib.metadata.PackageNotFoundError):
                parts.append(f"{name}=={importlib.metadata.version(name)}")
    return identity(*parts)


def _hashes(path: Path) -> Iterable[tuple[str, str]]:
    if path.is_file():
        return [(path.suffix, file_sha256(path))]
    if not path.is_dir():
        raise FileNotFoundError(path)
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
