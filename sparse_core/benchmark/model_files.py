"""What a model file is: its size as it lies and as it is downloaded, its opset, and the type of its weights."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path

_CHUNK_BYTES = 1 << 20
_GZIP_LEVEL = 6
_GZIP_WINDOW_BITS = 31  # 15 bits of window, +16 asks zlib for the gzip header
_MATRIX_DIMS = 2  # scales, zero points and biases have fewer


@dataclass(frozen=True)
class ModelFile:
    """An ONNX file. `precision` is "int8" when its matrices are stored in 8 bits, and `weight_dtype` says as what."""

    opset: int
    precision: str
    weight_dtype: str
    raw_bytes: int
    gzip_bytes: int


def describe_onnx(path: Path) -> ModelFile:
    """Reads the facts from the file itself, so that a float model is never called int8 because of its folder."""
    import onnx

    model = onnx.load(path)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    matrix_dtypes = {
        onnx.TensorProto.DataType.Name(tensor.data_type).lower()
        for tensor in model.graph.initializer
        if len(tensor.dims) >= _MATRIX_DIMS
    }
    int8_dtypes = matrix_dtypes & {"int8", "uint8"}
    return ModelFile(
        opset=opset,
        precision="int8" if int8_dtypes else "fp32",
        weight_dtype=" and ".join(sorted(int8_dtypes)) or "float32",
        raw_bytes=path.stat().st_size,
        gzip_bytes=gzip_bytes(path),
    )


def gzip_bytes(path: Path) -> int:
    """Size of the file after gzip at level 6, compressed in a stream and not stored."""
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW_BITS)
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            size += len(compressor.compress(chunk))
    return size + len(compressor.flush())
