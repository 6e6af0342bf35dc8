"""Data sets on the Hugging Face hub, and folders with the same layout."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sparse_core.errors import DataError, DependencyError, Setting, Text, listed, nearest, renamed_settings
from sparse_core.sources.data.arrow_split import ArrowSplit
from sparse_core.sources.data.class_names import declared_classes
from sparse_core.sources.data.data_file import SUFFIXES
from sparse_core.sources.data.hub_names import HUB_NAMES, PARQUET_REVISION, HubLocation, locate
from sparse_core.sources.data.parquet_conversion import DEFAULT_CONFIG, configurations, read_conversion
from sparse_core.sources.data.rows import DATASET_SETTING, RowSource
from sparse_core.sources.data.saved_dataset import is_saved, read_saved
from sparse_core.store import is_object, local_path

logger = logging.getLogger(__name__)

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_SCRIPT = re.compile(r"[\w.-]+\.py")
_LISTED = re.compile(r"(?:Available(?: configs in the cache)?|available configs): \[(.*)\]")
_SEVERAL_FORMS = "same data file format for all splits"
_FORM = re.compile(r"\('(\w+)', ")
_URL = re.compile(r"https?://[^\s'\"]+/datasets/[^\s'\"]+[^\s'\".]")
_CREDENTIALS = re.compile(r"//[^/@\s]+@")
_OFFLINE: Text = (
    "to work offline, give files as ",
    Setting("train_file"),
    " and ",
    Setting("validation_file"),
    ", or as ",
    Setting("dataset_name"),
    " a folder that save_to_disk wrote; a data set that was read before comes from the cache (HF_HOME) with "
    "HF_HUB_OFFLINE=1",
)
_ANOTHER_COPY: Text = (
    "to read another copy, give ",
    Setting("dataset_name"),
    " as owner/name, with ",
    Setting("dataset_revision"),
)
_USABLE_FOLDER: Text = (
    "give a folder that save_to_disk wrote, or one with CSV, JSON, Parquet or text files that all have one form and "
    "the same columns; name other files as ",
    Setting("train_file"),
    ", ",
    Setting("validation_file"),
    " and ",
    Setting("test_file"),
)
_NO_REVISION = "it has no such revision"
_MAX_FILES = 4
_MAX_DETAILS = 300  # characters of a message about columns that do not fit, which lists them all


def is_directory(name: str) -> bool:
    """Whether `dataset_name` names a folder: an existing one, or a text that cannot be a hub id."""
    looks_like_path = name.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(name)
    return bool(name) and (looks_like_path or Path(name).is_dir())


def read_data_set(name: str, config: str = "", revision: str = "") -> dict[str, RowSource]:
    """The splits of a data set; its rows stay on disk.

    Args:
        name: a hub id, or a folder that `save_to_disk` wrote or that has data files in the layout of the hub. A short
            name of the table `HUB_NAMES` stands for the id there; the log says so.
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
        logger.info("'%s' is read from %s", name, _describe(location))
    if location.revision == PARQUET_REVISION:
        directory = _download_conversion(location)
        return {**read_conversion(directory, location.config, location.hub_id)}
    return _load(location)


def require_directory(name: str, revision: str) -> Path:
    """The folder that `dataset_name` names.

    Raises:
        SparseCoreError: it is in object storage, or no folder; or a revision is given for it.
    """
    with renamed_settings({"location": DATASET_SETTING}):
        directory = local_path(name)
    if directory.is_file():
        fix = ("name files as ", Setting("train_file"), ", ", Setting("validation_file"), " and ", Setting("test_file"))
        raise DataError(DATASET_SETTING, f"{directory} is a file", fix=fix)
    if not directory.is_dir():
        raise DataError(
            DATASET_SETTING,
            f"the folder {directory} does not exist",
            accepted="a folder that save_to_disk wrote, or a hub id such as 'glue'",
        )
    if revision:
        raise DataError("dataset_revision", f"'{revision}' is given, but {directory} is a folder", fix="leave it empty")
    return directory


def _read_directory(directory: Path, config: str) -> dict[str, RowSource]:
    if is_saved(directory):
        if config:
            raise DataError(
                "dataset_config_name", f"'{config}' is given, but {directory} is a saved data set", fix="leave it empty"
            )
        return {**read_saved(directory)}
    if configurations(directory):
        return {**read_conversion(directory, config, str(directory))}
    return _load(HubLocation(str(directory), "", config))


def _load(location: HubLocation) -> dict[str, RowSource]:
    """The Arrow files that `datasets` makes in its cache from a data set on the hub, or from a folder of data files."""
    datasets = _require_datasets(location.hub_id)
    import pyarrow as pa
    from datasets import exceptions
    from datasets.data_files import EmptyDatasetError
    from huggingface_hub import HfApi, errors

    title = f"{location.hub_id}/{location.config}" if location.config else location.hub_id
    revision, fix = None, _ANOTHER_COPY
    try:
        if location.revision:
            # if the hub does not answer, `datasets` takes any revision that the cache has
            revision = HfApi().dataset_info(location.hub_id, revision=location.revision).sha
        loaded = datasets.load_dataset(
            location.hub_id, name=location.config or None, revision=revision, keep_in_memory=False
        )
        return {
            split: ArrowSplit(
                f"{title}, split {split}",
                tuple(Path(file["filename"]) for file in rows.cache_files),
                declared_classes(rows.features.to_dict()),
            )
            for split, rows in loaded.items()
        }
    except errors.RevisionNotFoundError:
        reason = _NO_REVISION
    except (errors.RepositoryNotFoundError, exceptions.DatasetNotFoundError):
        reason, fix = _no_such(location)
    except (exceptions.DataFilesNotFoundError, EmptyDatasetError):
        reason, fix = "it has no data files that can be read", _instead(location)
    except (exceptions.DatasetsError, pa.ArrowException) as error:
        details = " ".join(str(error.__cause__ or error).split())[:_MAX_DETAILS].rstrip(".")
        reason, fix = f"{_files(location)} cannot be used ({details})", _instead(location)
    except RuntimeError as error:
        script = _SCRIPT.search(str(error))
        if script is None:
            raise
        reason = f"it is made by the loading script {script[0]}, and such scripts are never run"
        fix = (
            "set ",
            Setting("dataset_revision"),
            f" to {PARQUET_REVISION}, the hub's own conversion, or name another",
        )
        fix = (*fix, " copy")
    except ValueError as error:
        raise _about_value(location, error) from None
    except (OSError, errors.HTTPError) as error:
        reason, fix = f"{_why_no_answer(error)}, when it was asked for {_wanted(error, location)}", _OFFLINE
    raise _unreadable(location, reason, fix)


def _download_conversion(location: HubLocation) -> Path:
    """The folder of the hub's cache with a configuration of the Parquet conversion."""
    _require_datasets(location.hub_id)
    from huggingface_hub import HfApi, errors, snapshot_download
    from huggingface_hub.hf_api import RepoFolder

    wanted = f"{location.config or DEFAULT_CONFIG}/*/*.parquet"
    settings: dict[str, Any] = {"repo_type": "dataset", "revision": location.revision}
    fix = _ANOTHER_COPY
    try:
        directory = Path(snapshot_download(location.hub_id, allow_patterns=[wanted], **settings))
        if any(directory.glob(wanted)):
            return directory
        tree = HfApi().list_repo_tree(location.hub_id, **settings)
        configs = [entry.path for entry in tree if isinstance(entry, RepoFolder)]
        reason, fix = f"it has no {wanted}", ("set ", Setting("dataset_config_name"), f" to one of {listed(configs)}")
    except errors.RevisionNotFoundError:
        reason = _NO_REVISION
    except errors.RepositoryNotFoundError:
        reason, fix = _no_such(location)
    except (errors.LocalEntryNotFoundError, errors.HFValidationError, errors.HTTPError, OSError) as error:
        reason, fix = f"{_why_no_answer(error)}, when it was asked for {location.hub_id}/{wanted}", _OFFLINE
    raise _unreadable(location, reason, fix)


def _unreadable(location: HubLocation, reason: str, fix: Text) -> DataError:
    return DataError(DATASET_SETTING, f"{_describe(location)} cannot be read: {reason}", fix=fix)


def _require_datasets(hub_id: str) -> Any:
    """The module `datasets`."""
    try:
        import datasets
    except ImportError:
        raise DependencyError(
            DATASET_SETTING,
            f"'{hub_id}' needs `datasets`, which is not installed",
            fix="pip install sparse-pipelines[train]",
        ) from None
    return datasets


def _about_value(location: HubLocation, error: ValueError) -> DataError:
    """An error about the configuration, where the library's message lists the existing ones, or about the files."""
    configs = _LISTED.search(str(error))
    if configs is None:
        reason = f"{_files(location)} cannot be used ({_first_line(error)})"
        if _SEVERAL_FORMS in str(error):
            reason = f"its files are of several forms ({listed(dict.fromkeys(_FORM.findall(str(error))))})"
        return _unreadable(location, reason, _instead(location))
    names = configs[1].replace("'", "")
    if "cache" in str(error):
        return _unreadable(location, f"the hub does not serve it, and the cache has only {names} of it", _OFFLINE)
    problem = f"has no configuration '{location.config}'" if location.config else "has several configurations"
    return DataError(
        "dataset_config_name",
        f"{location.hub_id} {problem}",
        accepted=f"one of {names}",
        fix=nearest(location.config, names.split(", ")),
    )


def _instead(location: HubLocation) -> Text:
    return _USABLE_FOLDER if Path(location.hub_id).is_dir() else _ANOTHER_COPY


def _files(location: HubLocation) -> str:
    """The names of the first files of a folder, because the library's messages do not say which one is at fault."""
    directory = Path(location.hub_id)
    files = sorted(str(file.relative_to(directory)) for file in directory.rglob("*") if file.suffix in SUFFIXES)
    if not files:
        return "its files"
    return f"{', '.join(files[:_MAX_FILES])}{', ...' if len(files) > _MAX_FILES else ''}"


def _describe(location: HubLocation) -> str:
    """The data set in words."""
    config = f", configuration {location.config}" if location.config else ""
    return f"{location.hub_id}{config}{f', revision {location.revision}' if location.revision else ''}"


def _why_no_answer(error: BaseException) -> str:
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set and it is not in the cache"
    return f"{_CREDENTIALS.sub('//', constants.ENDPOINT)} does not answer ({_first_line(error)})"


def _no_such(location: HubLocation) -> tuple[str, Text]:
    """The reason and the fix where the hub does not know a data set."""
    suggestion = nearest(location.hub_id, HUB_NAMES) if "/" not in location.hub_id else ""
    reason = "there is no such data set, or it is private or gated and HF_TOKEN is not set to a token that may read it"
    return reason, suggestion


def _wanted(error: BaseException, location: HubLocation) -> str:
    """The file that could not be fetched."""
    for link in _chain(error):
        url = _URL.search(str(link))
        if url:
            return _CREDENTIALS.sub("//", url[0])
    # the first file that is fetched
    return f"{location.hub_id}/README.md" if isinstance(error, ConnectionError) else f"the files of {location.hub_id}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _first_line(error: BaseException) -> str:
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return _CREDENTIALS.sub("//", text).rstrip(".")
