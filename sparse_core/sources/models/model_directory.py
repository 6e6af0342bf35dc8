"""What a Hugging Face model directory must hold before anything is loaded from it."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from sparse_core.errors import ModelError
from sparse_core.sources.models.pickled_weights import PICKLED_INDEX_NAME, PICKLED_NAME, refuse_sparseml_quantization

CONFIG_NAME = "config.json"
WEIGHTS_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
SHARD_PATTERN = "model-*.safetensors"
VOCABULARY_NAMES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "tokenizer.model",
)
"""Files of which a tokenizer needs at least one."""
TOKENIZER_NAMES = (
    *VOCABULARY_NAMES,
    "merges.txt",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
)
TRAINING_NAMES = ("recipe.yaml", "training_log.json", "metrics.json")
"""Files that the training steps add to a model."""
_PICKLED_SUFFIXES = (".bin", ".pt", ".pth")
_CONVERSION = "AutoModel.from_pretrained(...).save_pretrained(...) writes safetensors"
_POINTER_START = b"version https://git-lfs"
_HEADER_LENGTH = struct.Struct("<Q")


def require_config(directory: Path) -> dict[str, Any]:
    """The content of `config.json`.

    Raises:
        ModelError: there is no such directory or file, the file is not a JSON object, it names no architecture, or the
            model brings Python code of its own.
    """
    if not directory.is_dir():
        what = "is a file, not a directory" if directory.exists() else "does not exist"
        raise ModelError(f"model: {directory} {what}; name a Hugging Face directory with {CONFIG_NAME}")
    path = directory / CONFIG_NAME
    if not path.is_file():
        raise ModelError(f"model: {directory} has no {CONFIG_NAME}; expected a directory made by save_pretrained")
    config = _read_object(path)
    if "auto_map" in config:
        raise ModelError(
            f"model: {path} has 'auto_map', so the model needs Python code of its own, which is never run here; "
            "use an architecture that transformers has"
        )
    if not isinstance(config.get("model_type"), str):
        raise ModelError(f"model: {path} has no 'model_type'; expected the name of an architecture, such as \"bert\"")
    return config


def require_weights(directory: Path) -> list[str]:
    """Names of the files that hold the weights, an index of shards included.

    Raises:
        ModelError: there are none, they are pickles, a shard is missing, or a file is cut short.
    """
    names = find_weights(directory)
    if are_pickled(names):
        raise ModelError(
            f"model: {directory} has its weights in {names[0]}, a pickle, and only safetensors are read; "
            f"`sparse-core fetch_model --model {directory} --output NEW_DIRECTORY` converts them"
        )
    return names


def find_weights(directory: Path) -> list[str]:
    """Names of the files that hold the weights, an index of shards included: safetensors, else pickles to convert.

    Raises:
        ModelError: there are none of a kind that can be read, a shard is missing, or a file is cut short.
    """
    for name, index in ((WEIGHTS_NAME, INDEX_NAME), (PICKLED_NAME, PICKLED_INDEX_NAME)):
        if (directory / name).is_file():
            _require_whole(directory / name)
            return [name]
        if (directory / index).is_file():
            shards = _shard_names(directory / index)
            for shard in shards:
                if not (directory / shard).is_file():
                    raise ModelError(f"model: {directory} has no {shard}, which {index} names; copy all of its shards")
                _require_whole(directory / shard)
            return [index, *shards]
    others = sorted(file.name for file in directory.iterdir() if file.suffix in _PICKLED_SUFFIXES)
    raise ModelError(
        f"model: {directory} has no weights{' but ' + others[0] if others else ''}; expected {WEIGHTS_NAME} or "
        f"{PICKLED_NAME}, or one of their indexes with its shards (weights of another kind can be converted: "
        f"{_CONVERSION})"
    )


def are_pickled(names: list[str]) -> bool:
    """Whether `names`, which `find_weights` returned, are those of pickles."""
    return names[0] in (PICKLED_NAME, PICKLED_INDEX_NAME)


def require_tokenizer(directory: Path) -> list[str]:
    """Names of the tokenizer's files.

    Raises:
        ModelError: no file of the directory holds a vocabulary.
    """
    if not any((directory / name).is_file() for name in VOCABULARY_NAMES):
        raise ModelError(
            f"model: {directory} has no tokenizer; expected one of {', '.join(VOCABULARY_NAMES)}; "
            "tokenizer.save_pretrained writes it"
        )
    return [name for name in TOKENIZER_NAMES if (directory / name).is_file()]


def _shard_names(index: Path) -> list[str]:
    weight_map = _read_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"model: {index} has no 'weight_map'; expected the index that save_pretrained writes")
    shards = sorted(set(map(str, weight_map.values())))
    for shard in shards:
        if Path(shard).name != shard:
            raise ModelError(f"model: {index} names the shard '{shard}'; expected a file name without a folder")
    return shards


def _require_whole(path: Path) -> None:
    """Finds out what can be told about a file of weights without reading them."""
    with path.open("rb") as stream:
        if stream.read(len(_POINTER_START)) == _POINTER_START:
            raise ModelError(
                f"model: {path} is a Git LFS pointer, not the weights; run `git lfs pull` where it came from"
            )
    if path.suffix not in _PICKLED_SUFFIXES:
        refuse_sparseml_quantization(_tensor_names(path), path)


def _tensor_names(path: Path) -> list[str]:
    """Names in a safetensors file, whose size must be what its header says (safetensors format, "Format").

    The file starts with the header's length as a little-endian uint64 and the header as JSON, whose `data_offsets`
    count from the header's end.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        start = stream.read(_HEADER_LENGTH.size)
        header_bytes = _HEADER_LENGTH.unpack(start)[0] if len(start) == _HEADER_LENGTH.size else size_bytes
        header_text = stream.read(header_bytes) if header_bytes < size_bytes else b""
    try:
        header = json.loads(header_text)
        ends = {name: entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"}
        expected_bytes = _HEADER_LENGTH.size + header_bytes + max(ends.values(), default=0)
    except (ValueError, AttributeError, KeyError, TypeError, IndexError):
        raise ModelError(f"model: {path} is not a safetensors file, or is cut short; copy it again") from None
    if size_bytes != expected_bytes:
        raise ModelError(
            f"model: {path} has {size_bytes} bytes, but its header describes {expected_bytes}; copy it again"
        )
    return list(ends)


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"model: {path} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ModelError(f"model: {path} holds a JSON {type(value).__name__}; expected an object")
    return value
