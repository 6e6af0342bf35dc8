"""Downloads a model from the Hugging Face hub to its local cache."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from sparse_core.artifacts.model import CONFIG_NAME, TOKENIZER_NAMES, TRAINING_NAMES, VOCABULARY_NAMES
from sparse_core.artifacts.weights import (
    INDEX_NAME,
    PICKLED_INDEX_NAME,
    PICKLED_NAME,
    PICKLED_SHARD_PATTERN,
    SHARD_PATTERN,
    WEIGHTS_NAME,
)
from sparse_core.errors import DependencyError, ModelError, Setting, Text, listed

_MODEL_PATTERNS = (CONFIG_NAME, WEIGHTS_NAME, INDEX_NAME, SHARD_PATTERN, *TOKENIZER_NAMES, *TRAINING_NAMES)
_PICKLED_PATTERNS = (PICKLED_NAME, PICKLED_INDEX_NAME, PICKLED_SHARD_PATTERN)
_SAFE_WEIGHTS = (WEIGHTS_NAME, INDEX_NAME)
_REQUIRED = ((CONFIG_NAME,), (*_SAFE_WEIGHTS, PICKLED_NAME, PICKLED_INDEX_NAME), VOCABULARY_NAMES)
"""Groups of files; a model needs at least one file of each group."""
_CREDENTIALS = re.compile(r"(?<=//)[^/@\s]+@")


def download(
    model: str,
    revision: str = "",
    *,
    cache_dir: str = "",
    use_auth_token: bool = False,
    config_only: bool = False,
    stub: str = "",
) -> Path:
    """The folder of a model in the hub's cache. Pickled weights are downloaded only if the model has no others.

    Args:
        model: hub id.
        revision: branch, tag or commit; empty: the default branch.
        cache_dir: the hub's cache; empty: the folder that HF_HUB_CACHE or HF_HOME names.
        use_auth_token: fail without a token; otherwise a token is used if there is one.
        config_only: download `config.json` alone.
        stub: the SparseZoo stub that stands for the model, where the user gave one.

    Raises:
        ModelError: the hub does not serve the model; the message names files, id, revision and reason.
        DependencyError: huggingface_hub is not installed.
    """
    try:
        from huggingface_hub import errors, hf_hub_download, snapshot_download
    except ImportError as error:
        raise DependencyError(
            "model",
            f"'{model}' is a hub id, which needs huggingface_hub",
            fix="pip install sparse-pipelines[train]",
        ) from error
    options: dict[str, Any] = {"cache_dir": cache_dir or None, "token": True if use_auth_token else None}
    patterns = [CONFIG_NAME] if config_only else list(_MODEL_PATTERNS)
    missing: tuple[str, ...] = (CONFIG_NAME,)
    fix: Text = ""
    try:
        directory = Path(snapshot_download(model, revision=revision or None, allow_patterns=patterns, **options))
        if not config_only and not _has_one(directory, _SAFE_WEIGHTS):
            # of the same commit, so that a push in between cannot mix two versions
            snapshot_download(model, revision=directory.name, allow_patterns=list(_PICKLED_PATTERNS), **options)
        required = _REQUIRED[: 1 if config_only else None]
        missing = next((names for names in required if not _has_one(directory, names)), ())
        if not missing:
            return directory
        hf_hub_download(model, missing[0], revision=directory.name, **options)
        reason = f"it has none of {listed(missing)}"
    except errors.GatedRepoError:
        reason, fix = "only some accounts may read it", "set HF_TOKEN to the token of such an account"
    except errors.RevisionNotFoundError:
        reason, fix = "it has no such revision", ("leave ", Setting("revision"), " empty for the default branch")
    except errors.RepositoryNotFoundError:
        reason = "there is no such model, or it is private and HF_TOKEN is not set to a token that may read it"
    except errors.LocalTokenNotFoundError:
        raise ModelError(
            "use_auth_token", f"there is no token to read '{model}' with", fix="set HF_TOKEN, or run `hf auth login`"
        ) from None
    except errors.LocalEntryNotFoundError:
        reason, fix = f"the local cache does not have all of it, and {_why_no_network()}", _work_offline(model)
    except errors.EntryNotFoundError:
        reason = f"it has none of {listed(missing)}"
    except UnicodeEncodeError:  # its text would show the token
        reason, fix = "the token has characters that no token has", "copy it to HF_TOKEN again"
    except (errors.HFValidationError, errors.HfHubHTTPError, errors.HTTPError, OSError) as error:
        reason, fix = _first_line(error), _work_offline(model)
    files = CONFIG_NAME if config_only else f"{CONFIG_NAME}, weights and tokenizer"
    meaning = f"'{stub}' stands for '{model}'" if stub else f"'{model}' is no folder on this machine"
    raise ModelError(
        "model",
        f"{meaning}, and its {files} (revision '{revision or 'main'}') cannot be fetched from the hub: {reason}",
        fix=fix,
    )


def _has_one(directory: Path, names: tuple[str, ...]) -> bool:
    return any((directory / name).is_file() for name in names)


def _work_offline(model: str) -> Text:
    return (
        "to work offline, give ",
        Setting("model"),
        " the path of a folder with the model; where there is a network, "
        f"`hf download {model} --local-dir FOLDER` makes one",
    )


def _first_line(error: Exception) -> str:
    return _CREDENTIALS.sub("", (str(error).strip() or type(error).__name__).splitlines()[0])


def _why_no_network() -> str:
    from huggingface_hub import constants

    if constants.is_offline_mode():
        return "HF_HUB_OFFLINE is set"
    return f"{_CREDENTIALS.sub('', constants.ENDPOINT)} does not answer"
