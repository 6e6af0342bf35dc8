"""An ONNX file's size as it lies and as it is downloaded, its opset, and the type of its weights."""

from __future__ import annotations

import zlib
from pathlib import Path

from sparse_core.artifacts.report_parts import OnnxFile

_CHUNK_BYTES = 1 << 20
_GZIP_LEVEL = 6
_GZIP_WINDOW_BITS = 31  # 15 bits of window, +16 asks zlib for the gzip header
_MATRIX_DIMS = 2  # scales, zero points and biases have fewer


def describe_onnx(path: Path) -> tuple[OnnxFile, str]:
    """What a file is, read from the file itself.

    Returns:
        The facts, and the precision: "int8" where a matrix is stored in 8 bits, else "fp32".
    """
    import onnx

    model = onnx.load(path)
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    matrix_dtypes = {
        onnx.TensorProto.DataType.Name(tensor.data_type).lower()
        for tensor in model.graph.initializer
        if len(tensor.dims) >= _MATRIX_DIMS
    }
    int8_dtypes = matrix_dtypes & {"int8", "uint8"}
    file = OnnxFile(
        opset=opset,
        weight_dtype=" and ".join(sorted(int8_dtypes)) or "float32",
        raw_bytes=path.stat().st_size,
        gzip_bytes=gzip_bytes(path),
    )
    return file, "int8" if int8_dtypes else "fp32"


def gzip_bytes(path: Path) -> int:
    """Size of the file after gzip at level 6, compressed in a stream and not stored."""
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW_BITS)
    size = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            size += len(compressor.compress(chunk))
    return size + len(compressor.flush())
