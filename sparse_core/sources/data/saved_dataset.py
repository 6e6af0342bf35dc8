"""A folder that `save_to_disk` of the `datasets` library wrote, read without that library.

A `DatasetDict` is `dataset_dict.json` with the names of the splits, each in a folder; a `Dataset` is `state.json` with
the names of its Arrow files, and `dataset_info.json` with its features.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sparse_core.errors import DataError
from sparse_core.sources.data.arrow_split import ArrowSplit
from sparse_core.sources.data.class_names import declared_classes
from sparse_core.sources.data.rows import DATASET_SETTING

_SPLITS_NAME = "dataset_dict.json"
_STATE_NAME = "state.json"
_INFO_NAME = "dataset_info.json"
ONLY_SPLIT = "train"
"""What the rows of a `Dataset` without splits are for."""


def is_saved(directory: Path) -> bool:
    """Whether `save_to_disk` wrote the directory."""
    return (directory / _SPLITS_NAME).is_file() or (directory / _STATE_NAME).is_file()


def read_saved(directory: Path) -> dict[str, ArrowSplit]:
    """The splits of a saved data set.

    Args:
        directory: what `save_to_disk` wrote.

    Raises:
        DataError: a file is missing or is not what `save_to_disk` writes.
    """
    if not (directory / _SPLITS_NAME).is_file():
        return {ONLY_SPLIT: _read_split(directory, f"{directory}, split {ONLY_SPLIT}")}
    names = _entry(directory / _SPLITS_NAME, "splits", list)
    return {name: _read_split(directory / name, f"{directory}, split {name}") for name in map(str, names)}


def _read_split(folder: Path, name: str) -> ArrowSplit:
    files = _entry(folder / _STATE_NAME, "_data_files", list)
    features = _entry(folder / _INFO_NAME, "features", dict)
    paths = tuple(folder / str(file.get("filename")) for file in files if isinstance(file, dict))
    for path in paths:
        if not path.is_file():
            raise _damage(path, "is missing")
    return ArrowSplit(name, paths, declared_classes(features))


def _entry(path: Path, name: str, kind: type) -> Any:
    """An entry of a JSON object in a file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _damage(path, f"cannot be read ({error.strerror})") from None
    except ValueError:
        raise _damage(path, "is not JSON") from None
    entry = value.get(name) if isinstance(value, dict) else None
    if not isinstance(entry, kind):
        raise _damage(path, f"has no {kind.__name__} '{name}'")
    return entry


def _damage(path: Path, problem: str) -> DataError:
    return DataError(DATASET_SETTING, f"{path} {problem}", fix="save the data set again with save_to_disk")
