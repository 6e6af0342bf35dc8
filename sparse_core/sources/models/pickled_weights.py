"""Weights that older versions of transformers saved as pickles: read as tensors alone, and written as safetensors.

A pickle is a program, and an ordinary reader runs it. `torch.load(weights_only=True)` interprets this program itself:
it knows the instructions that build containers and numbers, and calls only functions of a fixed list, which rebuild
tensors. A file that names another function is refused before that function is called.
"""

from __future__ import annotations

import logging
import re
import struct
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError  # the error alone: only torch's restricted reader reads pickles here
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts.weights import refuse_sparseml_quantization
from sparse_core.errors import DependencyError, ModelError, OutputError
from sparse_core.store import publishing_file, require_room

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

_FORBIDDEN = re.compile(r"GLOBAL ([\w.]+)")
# What the restricted reader, and the zip reader below it, raise for bytes that torch.save did not write.
_DAMAGE = (RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, AssertionError, struct.error)
_SAVED_STATE = "tensors by name, as torch.save(model.state_dict(), file) writes"


def write_safetensors(files: Sequence[Path], path: Path) -> None:
    """Writes the tensors of pickled weights to a safetensors file; tensors that share memory become copies.

    No code of the files runs. `path` appears whole or not at all.

    Args:
        files: what `torch.save` wrote, one file or all shards.
        path: the safetensors file.

    Raises:
        ModelError: a file is damaged, holds something else than tensors, or is a quantized SparseML checkpoint.
        OutputError: the disk has no room, or cannot be written to.
        DependencyError: torch is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import save_file
    except ImportError as error:
        raise DependencyError(
            "model",
            f"{files[0]} is a pickle, and only torch can convert it",
            fix="pip install sparse-pipelines[train]",
        ) from error
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors.update(_tensors(file))
    refuse_sparseml_quantization(tensors, files[0])
    tensors = _unshared(tensors)
    num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    require_room(path.parent, num_bytes, f"{path.name} from {files[0].parent}")
    names = f"{files[0].name}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")
    logger.info("%s is a pickle; its tensors are read without running it, and written as %s", names, path.name)
    with publishing_file(path) as partial:
        try:
            save_file(tensors, partial, metadata={"format": "pt"})
        except (OSError, SafetensorError) as error:
            raise OutputError("output", f"{path} cannot be written: {str(error).splitlines()[0]}") from None


def _tensors(file: Path) -> dict[str, Tensor]:
    import torch

    try:
        # Mapped into memory and not read, so that the memory stays flat. Before torch 1.6 the files were no zip files.
        is_zip = zipfile.is_zipfile(file)
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zip or None)
    except UnpicklingError as error:
        raise _refusal(file, error) from None
    except (*_DAMAGE, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ModelError(
            "model", f"{file} was not written by torch.save, or is damaged ({reason})", fix="copy it again"
        ) from None
    return _only_tensors(file, content)


def _refusal(file: Path, error: UnpicklingError) -> ModelError:
    function = _FORBIDDEN.search(str(error))
    if function is None:
        return ModelError("model", f"{file} was not written by torch.save, or is damaged", fix="copy it again")
    return ModelError(
        "model",
        f"{file} is a pickle that wants to call {function[1][:120]}, which weights do not need; it was not called",
        fix="get the model from a source that you trust, or as safetensors",
    )


def _only_tensors(file: Path, content: Any) -> dict[str, Tensor]:
    import torch

    if not isinstance(content, Mapping) or not content:
        raise ModelError("model", f"{file} holds a {type(content).__name__}", accepted=_SAVED_STATE)
    dtypes = {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8}
    dtypes |= {torch.int8, torch.int16, torch.int32, torch.int64}
    for name, value in content.items():
        is_dense = isinstance(value, torch.Tensor) and value.layout is torch.strided and value.dtype in dtypes
        if not isinstance(name, str) or not is_dense:
            kind = f"a {value.layout} tensor of {value.dtype}" if isinstance(value, torch.Tensor) else "no tensor"
            raise ModelError(
                "model",
                f"'{str(name)[:120]}' in {file} is {kind} ({type(value).__name__})",
                accepted=f"dense {_SAVED_STATE}",
            )
    return dict(content)


def _unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors, each with its own memory: safetensors cannot share memory, and loading ties weights again."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        address = plain.untyped_storage().data_ptr()
        result[name] = plain.clone() if address in seen else plain
        seen.add(address)
    return result
