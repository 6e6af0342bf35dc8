"""Brings a model from the Hugging Face hub to its local cache."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sparse_core.errors import DependencyError, ModelError
from sparse_core.sources.models.model_directory import (
    CONFIG_NAME,
    INDEX_NAME,
    SHARD_PATTERN,
    TOKENIZER_NAMES,
    TRAINING_NAMES,
    VOCABULARY_NAMES,
    WEIGHTS_NAME,
)
from sparse_core.sources.models.pickled_weights import PICKLED_INDEX_NAME, PICKLED_NAME, PICKLED_SHARD_PATTERN

_MODEL_PATTERNS = (CONFIG_NAME, WEIGHTS_NAME, INDEX_NAME, SHARD_PATTERN, *TOKENIZER_NAMES, *TRAINING_NAMES)
_PICKLED_PATTERNS = (PICKLED_NAME, PICKLED_INDEX_NAME, PICKLED_SHARD_PATTERN)
_SAFE_WEIGHTS = (WEIGHTS_NAME, INDEX_NAME)
_NEEDED = ((CONFIG_NAME,), (*_SAFE_WEIGHTS, PICKLED_NAME, PICKLED_INDEX_NAME), VOCABULARY_NAMES)
"""Groups of files of which a model needs at least one each."""
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")


def download(
    model: str,
    revision: str = "",
    *,
    cache_dir: str = "",
    use_auth_token: bool = False,
    config_only: bool = False,
    setting: str = "model",
    asked: str = "",
) -> Path:
    """The directory of a model in the hub's cache, with pickled weights only where it has no others.

    Args:
        model: hub id.
        revision: branch, tag or commit; empty: the default branch.
        cache_dir: the hub's cache; empty: what HF_HUB_CACHE or HF_HOME says.
        use_auth_token: a token must be there; otherwise it is used where there is one.
        config_only: `config.json` is enough.
        setting: name of the setting that asks for the model, for messages.
        asked: what the setting says, where that is not the hub id.

    Raises:
        ModelError: the hub does not give it; the message names files, id, revision and reason.
        DependencyError: huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import errors, hf_hub_download, snapshot_download
    except ImportError as error:
        raise DependencyError(
            f"{setting}: '{model}' is a hub id, which needs huggingface_hub; pip install sparse-pipelines[train]"
        ) from error
    place: dict[str, Any] = {"cache_dir": cache_dir or None, "token": True if use_auth_token else None}
    offline = (
        f"to work offline, give `{setting}` the path of a directory that holds the model; "
        f"`hf download {model} --local-dir DIRECTORY` makes one where there is a network"
    )
    patterns = [CONFIG_NAME] if config_only else list(_MODEL_PATTERNS)
    missing: tuple[str, ...] = (CONFIG_NAME,)
    try:
        directory = Path(snapshot_download(model, revision=revision or None, allow_patterns=patterns, **place))
        if not config_only and not _has_one(directory, _SAFE_WEIGHTS):
            # by the commit that came first, so that a push in between cannot mix two versions
            snapshot_download(model, revision=directory.name, allow_patterns=list(_PICKLED_PATTERNS), **place)
        missing = next((names for names in _NEEDED[: 1 if config_only else None] if not _has_one(directory, names)), ())
        if not missing:
            return directory
        hf_hub_download(model, missing[0], revision=directory.name, **place)
        reason = f"it has none of {', '.join(missing)}"
    except errors.GatedRepoError:
        reason = "its owner lets only some accounts read it; set HF_TOKEN to the token of such an account"
    except errors.RevisionNotFoundError:
        reason = "the model has no such revision; leave it empty for the default branch"
    except errors.RepositoryNotFoundError:
        reason = "there is no such model, or it is private and HF_TOKEN is not set to a token that may read it"
    except errors.LocalTokenNotFoundError:
        raise ModelError(
            f"use_auth_token: there is no token to read '{model}' with; set HF_TOKEN, or run `hf auth login`"
        ) from None
    except errors.LocalEntryNotFoundError:
        reason = f"not all of it is in the local cache and {_why_no_network()}; {offline}"
    except errors.EntryNotFoundError:
        reason = f"it has none of {', '.join(missing)}"
    except UnicodeEncodeError:  # its text would show the token
        reason = "the token has characters that no token has; copy it to HF_TOKEN again"
    except (errors.HFValidationError, errors.HfHubHTTPError, errors.HTTPError, OSError) as error:
        reason = f"{_first_line(error)}; {offline}"
    wanted = CONFIG_NAME if config_only else f"{CONFIG_NAME}, weights and tokenizer"
    raise ModelError(
        f"{setting}: {_subject(model, asked)}, and its {wanted} (revision '{revision or 'main'}') cannot be fetched "
        f"from the hub: {reason}"
    )


def _has_one(directory: Path, names: tuple[str, ...]) -> bool:
    return any((directory / name).is_file() for name in names)


def _subject(model: str, asked: str) -> str:
    return f"'{asked}' stands for '{model}'" if asked and asked != model else f"'{model}' is no directory here"


def _first_line(error: Exception) -> str:
    return _CREDENTIALS.sub("", (str(error).strip() or type(error).__name__).splitlines()[0])


def _why_no_network() -> str:
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set"
    return f"{_CREDENTIALS.sub('', constants.ENDPOINT)} does not answer"
