"""Where a model comes from: a directory, the Hugging Face hub, or what a SparseZoo stub stands for."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from sparse_core.errors import ModelError
from sparse_core.sources.models.hub_models import download
from sparse_core.sources.models.model_directory import (
    CONFIG_NAME,
    TRAINING_NAMES,
    WEIGHTS_NAME,
    are_pickled,
    find_weights,
    require_config,
    require_tokenizer,
)
from sparse_core.sources.models.pickled_weights import write_safetensors
from sparse_core.sources.zoo.stubs import is_stub, model_source
from sparse_core.store import is_object, local_path, require_room

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_EXPECTED = "expected a directory, a hub id such as 'google-bert/bert-base-uncased', or a zoo: stub"


def is_local(model: str) -> bool:
    """Whether `model` means a directory: one that exists, or a text that can be neither a hub id nor a stub."""
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
    setting: str = "model",
) -> Path:
    """The directory of a model, downloaded to the hub's cache where it is not local.

    Args:
        model: directory, hub id such as "google-bert/bert-base-uncased", or a SparseZoo stub (`zoo:...`). Offline mode
            and the token are those of huggingface_hub: HF_HUB_OFFLINE, and HF_TOKEN or `hf auth login`.
        revision: branch, tag or commit on the hub; empty: the default branch.
        cache_dir: the hub's cache; empty: what HF_HUB_CACHE or HF_HOME says.
        use_auth_token: a token must be there; otherwise it is used where there is one.
        config_only: `config.json` is enough, nothing else is downloaded.
        setting: name of the setting that says `model`, for messages.

    Returns:
        A directory. Its files are as they came: `copy_model` checks them, and converts pickled weights.

    Raises:
        ModelError: there is no such directory, a revision is given for one, the hub does not give the model, or the
            stub stands for nothing.
        DependencyError: huggingface_hub is not installed.
    """
    if not model.strip():
        raise ModelError(f"{setting}: nothing is given; {_EXPECTED}")
    source: Path | str = model_source(model, setting) if is_stub(model) else model
    if isinstance(source, str) and (is_stub(model) or not (is_local(source) or is_object(source))):
        return download(
            source,
            revision,
            cache_dir=cache_dir,
            use_auth_token=use_auth_token,
            config_only=config_only,
            setting=setting,
            asked=model,
        )
    directory = source if isinstance(source, Path) else local_path(source)
    if not directory.exists():
        raise ModelError(f"{setting}: the directory {model} does not exist; {_EXPECTED}")
    if revision:
        raise ModelError(f"revision: '{revision}' is given, but the model {model} is a directory; leave it empty")
    return directory


def copy_model(source: Path, destination: Path) -> None:
    """Copies config, weights, tokenizer and training records of `source`, and nothing else, after checking them.

    Weights that are pickles arrive as `model.safetensors`. Plain copies: a link would let a later change in the source
    reach what was published.

    Raises:
        ModelError: a file that is needed is missing or damaged, or pickled weights hold more than tensors.
        OutputError: the disk has no room.
        DependencyError: the weights are pickles and torch is not installed.
    """
    require_config(source)
    weights = find_weights(source)
    names = [CONFIG_NAME, *require_tokenizer(source)]
    names += [name for name in TRAINING_NAMES if (source / name).is_file()]
    size_bytes = sum((source / name).stat().st_size for name in (*names, *weights))
    require_room(destination, size_bytes, f"a copy of {source}")
    if are_pickled(weights):
        files = [source / name for name in weights if not name.endswith(".json")]
        write_safetensors(files, destination / WEIGHTS_NAME)
    else:
        names += weights
    for name in names:
        shutil.copyfile(source / name, destination / name)
