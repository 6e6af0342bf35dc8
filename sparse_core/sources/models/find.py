"""Finds a model: a local folder, a model on the Hugging Face hub, or what a SparseZoo stub stands for."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sparse_core.artifacts.model import CONFIG_NAME, Model
from sparse_core.artifacts.weights import WEIGHTS_NAME, are_pickled
from sparse_core.errors import ModelError, renamed_settings
from sparse_core.sources.models.hub_models import download
from sparse_core.sources.models.pickled_weights import write_safetensors
from sparse_core.sources.zoo.stubs import is_stub, model_source
from sparse_core.store import is_object, local_path, require_room

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_ACCEPTED = "a folder, a hub id such as 'google-bert/bert-base-uncased', or a zoo: stub"


def is_local(model: str) -> bool:
    """Whether `model` names a folder: an existing one, or a text that can be neither a hub id nor a stub."""
    if is_stub(model) or is_object(model):
        return False
    looks_like_path = model.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(model)
    return looks_like_path or Path(model).exists()


def find_model(
    model: str,
    revision: str = "",
    *,
    cache_dir: str = "",
    use_auth_token: bool = False,
    config_only: bool = False,
) -> Path:
    """The folder of a model, which is downloaded to the hub's cache if it is on the hub.

    Args:
        model: a folder, a hub id such as "google-bert/bert-base-uncased", or a SparseZoo stub (`zoo:...`).
            huggingface_hub decides about offline mode (HF_HUB_OFFLINE) and the token (HF_TOKEN or `hf auth login`).
        revision: branch, tag or commit on the hub; empty: the default branch.
        cache_dir: the hub's cache; empty: the folder that HF_HUB_CACHE or HF_HOME names.
        use_auth_token: fail without a token; otherwise a token is used if there is one.
        config_only: download `config.json` alone.

    Returns:
        A folder with the files as they came. `copy_model` checks them and converts pickled weights.

    Raises:
        ModelError: the folder does not exist, a revision is given for a folder, the hub does not serve the model, or
            the stub stands for nothing; the setting is model, revision or use_auth_token.
        DependencyError: huggingface_hub is not installed.
    """
    if not model.strip():
        raise ModelError("model", "is empty", accepted=_ACCEPTED)
    source: Path | str = model_source(model) if is_stub(model) else model
    if isinstance(source, str) and (is_stub(model) or not (is_local(source) or is_object(source))):
        stub = model if is_stub(model) else ""
        return download(
            source, revision, cache_dir=cache_dir, use_auth_token=use_auth_token, config_only=config_only, stub=stub
        )
    with renamed_settings({"location": "model"}):
        directory = source if isinstance(source, Path) else local_path(source)
    if not directory.exists():
        raise ModelError("model", f"the folder {model} does not exist", accepted=_ACCEPTED)
    if revision:
        raise ModelError("revision", f"'{revision}' is given, but the model {model} is a folder", fix="leave it empty")
    return directory


def copy_model(source: Path, destination: Path) -> None:
    """Checks a model and copies its config, weights, tokenizer, recipe and metrics; other files stay behind.

    Pickled weights are written as `model.safetensors`. The files are copied and not linked, so that a later change of
    the source does not reach the copy.

    Raises:
        ModelError: a file is missing or damaged, or pickled weights hold more than tensors; the setting is model.
        OutputError: the disk has no room.
        DependencyError: the weights are pickles and torch is not installed.
    """
    model = Model(source)
    model.config()
    weights = model.weight_files(allow_pickles=True)
    names = [CONFIG_NAME, *model.tokenizer_files(), *model.training_files()]
    size_bytes = sum((source / name).stat().st_size for name in (*names, *weights))
    require_room(destination, size_bytes, f"a copy of {source}")
    if are_pickled(weights):
        files = [source / name for name in weights if not name.endswith(".json")]
        write_safetensors(files, destination / WEIGHTS_NAME)
    else:
        names += weights
    for name in names:
        shutil.copyfile(source / name, destination / name)
