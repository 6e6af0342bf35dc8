"""Brings a model into a directory of its own, from a local directory or the Hugging Face hub."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from sparse_core.artifacts import require_disk_space
from sparse_core.errors import DependencyError, ModelError
from sparse_core.sources.model_directory import (
    CONFIG_NAME,
    INDEX_NAME,
    SHARD_PATTERN,
    TOKENIZER_NAMES,
    TRAINING_NAMES,
    WEIGHTS_NAME,
    require_config,
    require_tokenizer,
    require_weights,
)

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_HUB_PATTERNS = (CONFIG_NAME, WEIGHTS_NAME, INDEX_NAME, SHARD_PATTERN, *TOKENIZER_NAMES, *TRAINING_NAMES)
_ZOO_PREFIX = "zoo:"
_OFFLINE = "to work offline, give `model` the path of a directory that holds the model"


def is_local(model: str) -> bool:
    """Whether `model` means a directory: one that exists, or a text that cannot be a hub id."""
    looks_like_path = model.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(model)
    return looks_like_path or Path(model).exists()


def find_model(model: str, revision: str = "") -> Path:
    """The directory of a model, downloaded to the hub's cache where it is not local.

    Args:
        model: directory, or hub id such as "google-bert/bert-base-uncased". The token and offline mode are those of
            huggingface_hub (HF_TOKEN, HF_HUB_OFFLINE).
        revision: branch, tag or commit on the hub; empty: the default branch.

    Raises:
        ModelError: there is no such directory, a revision is given for one, or the hub does not give the model.
        DependencyError: huggingface_hub is not installed.
    """
    if not model.strip():
        raise ModelError("model: nothing is given; expected a directory or a hub id")
    if not is_local(model):
        return _download(model, revision)
    if model.startswith(_ZOO_PREFIX):
        raise ModelError(
            f"model: '{model}' is a SparseZoo stub and SparseZoo is closed; give a directory, or a hub id such as "
            "'google-bert/bert-base-uncased'"
        )
    directory = Path(os.path.expanduser(model))
    if not directory.exists():
        raise ModelError(
            f"model: the directory {model} does not exist; expected a directory, or a hub id such as "
            "'google-bert/bert-base-uncased'"
        )
    if revision:
        raise ModelError(f"revision: '{revision}' is given, but the model {model} is a directory; leave it empty")
    return directory


def copy_model(source: Path, destination: Path) -> None:
    """Copies config, weights, tokenizer and training records of `source`, and nothing else, after checking them.

    Plain copies: a link would let a later change in the source reach what was published.

    Raises:
        ModelError: a file that is needed is missing or damaged.
        OutputError: the disk has no room.
    """
    require_config(source)
    names = [CONFIG_NAME, *require_weights(source), *require_tokenizer(source)]
    names += [name for name in TRAINING_NAMES if (source / name).is_file()]
    size_bytes = sum((source / name).stat().st_size for name in names)
    require_disk_space(destination, size_bytes, f"a copy of {source}")
    for name in names:
        shutil.copyfile(source / name, destination / name)


def _download(model: str, revision: str) -> Path:
    try:
        from huggingface_hub import errors, snapshot_download
    except ImportError as error:
        raise DependencyError(
            f"model: '{model}' is a hub id, which needs huggingface_hub; pip install sparse-pipelines[train]"
        ) from error
    at = f" at the revision '{revision}'" if revision else ""
    try:
        return Path(snapshot_download(model, revision=revision or None, allow_patterns=list(_HUB_PATTERNS)))
    except errors.GatedRepoError:
        reason = "its owner lets only some accounts read it; set HF_TOKEN to the token of such an account"
    except errors.RevisionNotFoundError:
        reason = "the model has no such revision; leave it empty for the default branch"
    except errors.RepositoryNotFoundError:
        reason = "there is no such model, or it is private and HF_TOKEN is not set to a token that may read it"
    except errors.LocalEntryNotFoundError as error:
        reason = f"it is not in the local cache and {_why_no_network(error)}; {_OFFLINE}"
    except (errors.HFValidationError, errors.HfHubHTTPError, errors.HTTPError, OSError) as error:
        reason = f"{(str(error) or type(error).__name__).splitlines()[0]}; {_OFFLINE}"
    raise ModelError(f"model: '{model}' is no directory here, and{at} cannot be fetched from the hub: {reason}")


def _why_no_network(error: Exception) -> str:
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set"
    return f"{constants.ENDPOINT} does not answer"
