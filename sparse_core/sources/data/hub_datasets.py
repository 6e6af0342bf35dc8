"""Data sets of the Hugging Face hub, and directories that are laid out as there."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sparse_core.errors import DataError, DependencyError, did_you_mean
from sparse_core.sources.data.arrow_split import ArrowSplit
from sparse_core.sources.data.class_names import declared_classes
from sparse_core.sources.data.data_file import SUFFIXES
from sparse_core.sources.data.hub_names import HUB_NAMES, PARQUET_REVISION, HubLocation, locate
from sparse_core.sources.data.parquet_conversion import DEFAULT_CONFIG, configurations, read_conversion
from sparse_core.sources.data.rows import RowSource
from sparse_core.sources.data.saved_dataset import is_saved, read_saved
from sparse_core.store import is_object, local_path

logger = logging.getLogger(__name__)

_SETTING = "dataset_name"
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SCRIPT = re.compile(r"[\w.-]+\.py")
_LISTED = re.compile(r"(?:Available(?: configs in the cache)?|available configs): \[(.*)\]")
_SEVERAL_FORMS = "same data file format for all splits"
_FORM = re.compile(r"\('(\w+)', ")
_URL = re.compile(r"https?://[^\s'\"]+/datasets/[^\s'\"]+[^\s'\".]")
_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_OFFLINE = (
    "to work offline, give files as train_file and validation_file, or as dataset_name a directory that save_to_disk "
    "wrote; a data set that was read before comes from the cache (HF_HOME) with HF_HUB_OFFLINE=1"
)
_OVERRIDE = "to read another copy, give dataset_name as owner/name, with dataset_revision"
_EXPECTED = (
    "expected a directory that save_to_disk wrote, or one with CSV, JSON, Parquet or text files that all have one form "
    "and the same columns; name other files as train_file, validation_file and test_file"
)
_NO_REVISION = f"it has no such revision; {_OVERRIDE}"
_MAX_FILES = 4
_MAX_DETAILS = 300  # characters of a message about columns that do not fit, which lists them all


def is_directory(name: str) -> bool:
    """Whether `dataset_name` means a directory: one that exists, or a text that cannot be a hub id."""
    looks_like_path = name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name)
    return bool(name) and (looks_like_path or Path(name).is_dir())


def read_data_set(name: str, config: str = "", revision: str = "") -> dict[str, RowSource]:
    """The splits of a data set; its rows stay on disk.

    Args:
        name: a hub id, or a directory: one that `save_to_disk` wrote, or one of data files as a data set on the hub is
            made of. A short name in the table `HUB_NAMES` stands for the id there, which is logged.
        config: configuration of the data set; empty: its default.
        revision: branch, tag or commit on the hub; empty: the default branch, or that of the table.

    Raises:
        SparseCoreError: there is no such data set, configuration or revision, it needs a loading script, its files
            cannot be read, it is in object storage, or the hub does not answer.
        DependencyError: `datasets` is not installed.
    """
    if is_object(name) or is_directory(name):
        return _read_directory(require_directory(name, revision), config)
    location = locate(name, revision)
    location = HubLocation(location.hub_id, location.revision, config or location.config)
    if location.hub_id != name or location.revision != revision:
        logger.info("%s: '%s' is read from %s; %s", _SETTING, name, _place(location), _OVERRIDE)
    if location.revision == PARQUET_REVISION:
        directory = _download_conversion(location)
        return {**read_conversion(directory, location.config, _SETTING, location.hub_id)}
    return _load(location)


def require_directory(name: str, revision: str) -> Path:
    """The directory that `dataset_name` means.

    Raises:
        SparseCoreError: it is in object storage, or no directory; or a revision is given for it.
    """
    directory = local_path(name)
    if directory.is_file():
        raise DataError(f"{_SETTING}: {directory} is a file; name files as train_file, validation_file and test_file")
    if not directory.is_dir():
        raise DataError(
            f"{_SETTING}: the directory {directory} does not exist; expected one that save_to_disk wrote, or a hub id "
            "such as 'glue'"
        )
    if revision:
        raise DataError(f"dataset_revision: '{revision}' is given, but {directory} is a directory; leave it empty")
    return directory


def _read_directory(directory: Path, config: str) -> dict[str, RowSource]:
    if is_saved(directory):
        if config:
            raise DataError(
                f"dataset_config_name: '{config}' is given, but {directory} is a saved data set; leave it empty"
            )
        return {**read_saved(directory, _SETTING)}
    if configurations(directory):
        return {**read_conversion(directory, config, _SETTING, str(directory))}
    return _load(HubLocation(str(directory), "", config))


def _load(location: HubLocation) -> dict[str, RowSource]:
    """The Arrow files that `datasets` makes in its cache of a data set on the hub, or of a directory of data files."""
    datasets = _require_datasets(location.hub_id)
    import pyarrow as pa
    from datasets import exceptions
    from datasets.data_files import EmptyDatasetError
    from huggingface_hub import HfApi, errors

    title = f"{location.hub_id}/{location.config}" if location.config else location.hub_id
    revision = None
    try:
        if location.revision:
            # where the hub does not answer, `datasets` takes what the cache has, whatever its revision
            revision = HfApi().dataset_info(location.hub_id, revision=location.revision).sha
        loaded = datasets.load_dataset(
            location.hub_id, name=location.config or None, revision=revision, keep_in_memory=False
        )
        return {
            split: ArrowSplit(
                _SETTING,
                f"{title}, split {split}",
                tuple(Path(file["filename"]) for file in rows.cache_files),
                declared_classes(rows.features.to_dict()),
            )
            for split, rows in loaded.items()
        }
    except errors.RevisionNotFoundError:
        reason = _NO_REVISION
    except (errors.RepositoryNotFoundError, exceptions.DatasetNotFoundError):
        reason = _no_such(location)
    except (exceptions.DataFilesNotFoundError, EmptyDatasetError):
        reason = f"it has no data files that can be read; {_instead(location)}"
    except (exceptions.DatasetsError, pa.ArrowException) as error:
        details = " ".join(str(error.__cause__ or error).split())[:_MAX_DETAILS].rstrip(".")
        reason = f"{_files(location)} cannot be used ({details}); {_instead(location)}"
    except RuntimeError as error:
        script = _SCRIPT.search(str(error))
        if script is None:
            raise
        reason = (
            f"it is made by the loading script {script[0]}, and such scripts are never run; set dataset_revision to "
            f"{PARQUET_REVISION}, the hub's own conversion, or name another copy"
        )
    except ValueError as error:
        raise _about_value(location, error) from None
    except (OSError, errors.HTTPError) as error:
        reason = f"{_why_no_answer(error)}, when asked for {_wanted(error, location)}; {_OFFLINE}"
    raise DataError(f"{_SETTING}: {_place(location)} cannot be read: {reason}")


def _download_conversion(location: HubLocation) -> Path:
    """The directory of the hub's cache with a configuration of the Parquet conversion."""
    _require_datasets(location.hub_id)
    from huggingface_hub import HfApi, errors, snapshot_download
    from huggingface_hub.hf_api import RepoFolder

    wanted = f"{location.config or DEFAULT_CONFIG}/*/*.parquet"
    settings: dict[str, Any] = {"repo_type": "dataset", "revision": location.revision}
    try:
        directory = Path(snapshot_download(location.hub_id, allow_patterns=[wanted], **settings))
        if any(directory.glob(wanted)):
            return directory
        tree = HfApi().list_repo_tree(location.hub_id, **settings)
        found = [entry.path for entry in tree if isinstance(entry, RepoFolder)]
        reason = f"it has no {wanted}; set dataset_config_name to one of {', '.join(found)}"
    except errors.RevisionNotFoundError:
        reason = _NO_REVISION
    except errors.RepositoryNotFoundError:
        reason = _no_such(location)
    except (errors.LocalEntryNotFoundError, errors.HFValidationError, errors.HTTPError, OSError) as error:
        reason = f"{_why_no_answer(error)}, when asked for {location.hub_id}/{wanted}; {_OFFLINE}"
    raise DataError(f"{_SETTING}: {_place(location)} cannot be read: {reason}")


def _require_datasets(hub_id: str) -> Any:
    """The module `datasets`, which brings what is needed to ask the hub."""
    try:
        import datasets
    except ImportError:
        raise DependencyError(
            f"{_SETTING}: '{hub_id}' needs `datasets`, which is not installed; pip install sparse-pipelines[train]"
        ) from None
    return datasets


def _about_value(location: HubLocation, error: ValueError) -> DataError:
    """An error about the configuration, where the library's message lists those that there are, or about the files."""
    listed = _LISTED.search(str(error))
    if listed is None:
        reason = f"{_files(location)} cannot be used ({_first_line(error)})"
        if _SEVERAL_FORMS in str(error):
            reason = f"its files are of several forms ({', '.join(dict.fromkeys(_FORM.findall(str(error))))})"
        return DataError(f"{_SETTING}: {_place(location)} cannot be read: {reason}; {_instead(location)}")
    names = listed[1].replace("'", "")
    if "cache" in str(error):
        return DataError(
            f"{_SETTING}: {_place(location)} cannot be read: the hub does not give it, and the cache has only {names} "
            f"of it; {_OFFLINE}"
        )
    what = f"has no configuration '{location.config}'" if location.config else "has several configurations"
    nearest = did_you_mean(location.config, names.split(", "))
    return DataError(f"dataset_config_name: {location.hub_id} {what}; name one of {names}{nearest}")


def _instead(location: HubLocation) -> str:
    return _EXPECTED if Path(location.hub_id).is_dir() else _OVERRIDE


def _files(location: HubLocation) -> str:
    """The first files of a directory by their names, since the library's messages do not tell which is at fault."""
    directory = Path(location.hub_id)
    files = sorted(str(file.relative_to(directory)) for file in directory.rglob("*") if file.suffix in SUFFIXES)
    if not files:
        return "its files"
    return f"{', '.join(files[:_MAX_FILES])}{', ...' if len(files) > _MAX_FILES else ''}"


def _place(location: HubLocation) -> str:
    """The data set as a user can name it."""
    config = f", configuration {location.config}" if location.config else ""
    return f"{location.hub_id}{config}{f', revision {location.revision}' if location.revision else ''}"


def _why_no_answer(error: BaseException) -> str:
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set and it is not in the cache"
    return f"{_CREDENTIALS.sub('//', constants.ENDPOINT)} does not answer ({_first_line(error)})"


def _no_such(location: HubLocation) -> str:
    nearest = did_you_mean(location.hub_id, HUB_NAMES) if "/" not in location.hub_id else ""
    return (
        "there is no such data set, or it is private or gated and HF_TOKEN is not set to a token that may read it"
        f"{nearest}"
    )


def _wanted(error: BaseException, location: HubLocation) -> str:
    """The file that was asked for when an error arose."""
    for link in _chain(error):
        url = _URL.search(str(link))
        if url:
            return _CREDENTIALS.sub("//", url[0])
    # which is asked for before anything else
    return f"{location.hub_id}/README.md" if isinstance(error, ConnectionError) else f"the files of {location.hub_id}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _CREDENTIALS.sub("//", text).rstrip(".")
