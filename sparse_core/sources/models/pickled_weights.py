"""Weights that older versions of transformers saved as pickles: read as tensors only, written as safetensors.

A pickle is a program, and an ordinary reader runs it. `torch.load(weights_only=True)` has an interpreter of its own for
that program: it knows the instructions that build containers and numbers, and lets the file call nothing but a fixed
list of functions that rebuild tensors. A file that names anything else is refused at that name, before it is called.
"""

from __future__ import annotations

import logging
import re
import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError  # the error alone: nothing here reads a pickle but torch's restricted reader
from typing import TYPE_CHECKING, Any

from sparse_core.errors import DependencyError, ModelError, OutputError
from sparse_core.store import publishing_file, require_room

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)

PICKLED_NAME = "pytorch_model.bin"
PICKLED_INDEX_NAME = "pytorch_model.bin.index.json"
PICKLED_SHARD_PATTERN = "pytorch_model-*.bin"

_FORBIDDEN = re.compile(r"GLOBAL ([\w.]+)")
_OBSERVER = "activation_post_process"  # torch.ao.quantization's name, which SparseML's checkpoints have in their keys
# What the restricted reader, and the zip reader below it, raise for bytes that no torch.save wrote.
_DAMAGE = (RuntimeError, EOFError, LookupError, ValueError, TypeError, AttributeError, AssertionError, struct.error)


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
            f"model: {files[0]} is a pickle, which needs torch to convert; pip install sparse-pipelines[train]"
        ) from error
    tensors: dict[str, Tensor] = {}
    for file in files:
        tensors.update(_tensors(file))
    refuse_sparseml_quantization(tensors, files[0])
    tensors = _unshared(tensors)
    num_bytes = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    require_room(path.parent, num_bytes, f"{path.name} from {files[0].parent}")
    names = f"{files[0].name}" + (f" and {len(files) - 1} more" if len(files) > 1 else "")
    logger.info("model: %s is a pickle: its tensors are read without running it, and kept as %s", names, path.name)
    with publishing_file(path) as partial:
        try:
            save_file(tensors, partial, metadata={"format": "pt"})
        except (OSError, SafetensorError) as error:
            raise OutputError(f"output: {path} cannot be written: {str(error).splitlines()[0]}") from None


def refuse_sparseml_quantization(names: Iterable[str], path: Path) -> None:
    """Refuses a checkpoint of SparseML's quantization-aware training by the names of its tensors.

    Its floats stand at `.module.weight` beside ranges of torch's observers, which simulate another quantization than
    ours: read as a float model it would have other weights than those that were measured, or random ones.

    Raises:
        ModelError: a name is that of an observer.
    """
    observer = next((name for name in names if _OBSERVER in name), None)
    if observer is not None:
        raise ModelError(
            f"model: {path} is a quantized checkpoint of SparseML ('{observer[:120]}' belongs to its quantization), "
            "which is not read here; use the checkpoint from before its quantization, and quantize that with a recipe"
        )


def _tensors(file: Path) -> dict[str, Tensor]:
    import torch

    try:
        # Mapped rather than read: the memory stays flat. Files of torch before 1.6 are no zip archives.
        is_zip = zipfile.is_zipfile(file)
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=is_zip or None)
    except UnpicklingError as error:
        raise ModelError(_why_refused(file, str(error))) from None
    except (*_DAMAGE, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ModelError(f"model: {file} is no file of torch.save, or is damaged ({reason}); copy it again") from None
    return _only_tensors(file, content)


def _why_refused(file: Path, message: str) -> str:
    forbidden = _FORBIDDEN.search(message)
    if forbidden is None:
        return f"model: {file} is no file of torch.save, or is damaged; copy it again"
    return (
        f"model: {file} is a pickle that asks for {forbidden[1][:120]}, which weights do not need and was not run; "
        "get the model from a source that you trust, or as safetensors"
    )


def _only_tensors(file: Path, content: Any) -> dict[str, Tensor]:
    import torch

    if not isinstance(content, Mapping) or not content:
        raise ModelError(
            f"model: {file} holds {type(content).__name__} instead of tensors by name; expected what save_pretrained "
            "wrote: torch.save(model.state_dict(), file)"
        )
    kept = {torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.uint8}
    kept |= {torch.int8, torch.int16, torch.int32, torch.int64}
    for name, value in content.items():
        is_plain = isinstance(value, torch.Tensor) and value.layout is torch.strided and value.dtype in kept
        if not isinstance(name, str) or not is_plain:
            what = f"a {value.layout} tensor of {value.dtype}" if isinstance(value, torch.Tensor) else "no tensor"
            raise ModelError(
                f"model: '{str(name)[:120]}' in {file} is {what} ({type(value).__name__}); expected dense tensors by "
                "name, as save_pretrained wrote: torch.save(model.state_dict(), file)"
            )
    return dict(content)


def _unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors that own their memory: safetensors knows no sharing, and loading ties equal weights again."""
    seen: set[int] = set()
    result = {}
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        address = plain.untyped_storage().data_ptr()
        result[name] = plain.clone() if address in seen else plain
        seen.add(address)
    return result
