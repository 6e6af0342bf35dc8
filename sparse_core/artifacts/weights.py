"""The weights of a Hugging Face folder: which files hold them, and whether these files are whole."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sparse_core.errors import ModelError

WEIGHTS_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
SHARD_PATTERN = "model-*.safetensors"
PICKLED_NAME = "pytorch_model.bin"
PICKLED_INDEX_NAME = "pytorch_model.bin.index.json"
PICKLED_SHARD_PATTERN = "pytorch_model-*.bin"

_PICKLED_SUFFIXES = (".bin", ".pt", ".pth")
_POINTER_START = b"version https://git-lfs"
_HEADER_LENGTH = struct.Struct("<Q")
_OBSERVER = "activation_post_process"  # torch.ao.quantization's name; it stands in the keys of SparseML's checkpoints


def find_weights(directory: Path) -> list[str]:
    """Names of the files with the weights, the index of shards included: safetensors, or pickles if there are none.

    Raises:
        ModelError: there are no weights of a kind that can be read, a shard is missing, or a file is cut short.
    """
    for name, index in ((WEIGHTS_NAME, INDEX_NAME), (PICKLED_NAME, PICKLED_INDEX_NAME)):
        if (directory / name).is_file():
            _require_whole(directory / name)
            return [name]
        if (directory / index).is_file():
            shards = _shard_names(directory / index)
            for shard in shards:
                _require_shard(directory, shard, index)
            return [index, *shards]
    others = sorted(file.name for file in directory.iterdir() if file.suffix in _PICKLED_SUFFIXES)
    raise ModelError(
        "model",
        f"{directory} has no weights{f' but {others[0]}' if others else ''}",
        accepted=f"{WEIGHTS_NAME} or {PICKLED_NAME}, or the index of one of them with its shards",
        fix="convert weights of another kind with AutoModel.from_pretrained(...).save_pretrained(...)",
    )


def are_pickled(names: Sequence[str]) -> bool:
    """Whether the files that `find_weights` returned are pickles."""
    return names[0] in (PICKLED_NAME, PICKLED_INDEX_NAME)


def refuse_sparseml_quantization(tensor_names: Iterable[str], path: Path) -> None:
    """Refuses a checkpoint of SparseML's quantization-aware training, which the names of its tensors give away.

    Its weights are named `.module.weight` and stand beside the ranges of torch's observers. SparseML simulates another
    quantization than this library. Read as a float model, the checkpoint would have weights that nobody measured.

    Args:
        tensor_names: the tensors of the checkpoint.
        path: the file, for the message.

    Raises:
        ModelError: a tensor belongs to an observer.
    """
    observer = next((name for name in tensor_names if _OBSERVER in name), None)
    if observer is not None:
        raise ModelError(
            "model",
            f"{path} is a quantized checkpoint of SparseML ('{observer[:120]}' belongs to its quantization), which "
            "cannot be read",
            fix="use the checkpoint from before its quantization, and quantize that with a recipe",
        )


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a model.

    Raises:
        ModelError: the file holds no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError("model", f"{path} is not JSON ({error})") from None
    if not isinstance(value, dict):
        raise ModelError("model", f"{path} holds a JSON {type(value).__name__}", accepted="a JSON object")
    return value


def _shard_names(index: Path) -> list[str]:
    weight_map = read_json_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError("model", f"{index} has no 'weight_map'", accepted="the index that save_pretrained writes")
    shards = sorted(set(map(str, weight_map.values())))
    for shard in shards:
        if Path(shard).name != shard:
            raise ModelError(
                "model", f"{index} names the shard '{shard}'", accepted="the name of a file in the same folder"
            )
    return shards


def _require_shard(directory: Path, shard: str, index: str) -> None:
    if not (directory / shard).is_file():
        raise ModelError("model", f"{directory} has no {shard}, which {index} lists", fix="copy all shards")
    _require_whole(directory / shard)


def _require_whole(path: Path) -> None:
    """Checks what can be known about a file of weights without reading the weights."""
    with path.open("rb") as stream:
        if stream.read(len(_POINTER_START)) == _POINTER_START:
            raise ModelError(
                "model",
                f"{path} is a Git LFS pointer, not the weights",
                fix="run `git lfs pull` in the repository that it came from",
            )
    if path.suffix not in _PICKLED_SUFFIXES:
        refuse_sparseml_quantization(_tensor_names(path), path)


def _tensor_names(path: Path) -> list[str]:
    """Names of the tensors in a safetensors file, whose size must be what its header says.

    The file starts with the length of the header (uint64, little-endian) and the header as JSON. The header's
    `data_offsets` count from the end of the header (safetensors format, "Format").
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
        raise ModelError("model", f"{path} is not a safetensors file, or is cut short", fix="copy it again") from None
    if size_bytes != expected_bytes:
        raise ModelError(
            "model", f"{path} has {size_bytes} bytes, but its header describes {expected_bytes}", fix="copy it again"
        )
    return list(ends)
