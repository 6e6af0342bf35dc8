"""Sizes and types are read from the file, not taken from its name."""

from __future__ import annotations

import gzip
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sparse_core.benchmark.model_files import describe_onnx, gzip_bytes


def write_onnx(path, weight, opset=14):
    """A graph that dequantizes `weight` when it is of 8 bits, and multiplies by it."""
    nodes = [helper.make_node("MatMul", ["x", "weight" if weight.dtype == np.float32 else "float_weight"], ["y"])]
    initializers = [numpy_helper.from_array(weight, "weight")]
    if weight.dtype != np.float32:
        nodes.insert(0, helper.make_node("DequantizeLinear", ["weight", "scale", "zero_point"], ["float_weight"]))
        initializers += [
            numpy_helper.from_array(np.float32(0.5), "scale"),
            numpy_helper.from_array(weight.dtype.type(0), "zero_point"),
        ]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 4]) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "graph", values[:1], values[1:], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8), path)
    return path


@pytest.mark.parametrize(
    ("dtype", "precision", "weight_dtype"),
    [(np.float32, "fp32", "float32"), (np.int8, "int8", "int8"), (np.uint8, "int8", "uint8")],
)
def test_precision_is_that_of_the_stored_matrices(tmp_path, dtype, precision, weight_dtype):
    path = write_onnx(tmp_path / "int8_by_name_only.onnx", np.ones((4, 4), dtype))

    file, found = describe_onnx(path)

    assert (found, file.weight_dtype, file.opset) == (precision, weight_dtype, 14)
    assert file.raw_bytes == path.stat().st_size


def test_8_bit_scalars_alone_do_not_make_a_model_int8(tmp_path):
    path = write_onnx(tmp_path / "model.onnx", np.ones((4, 4), np.float32), opset=17)
    model = onnx.load(path)
    model.graph.initializer.append(numpy_helper.from_array(np.int8(0), "zero_point"))
    onnx.save(model, path)

    file, precision = describe_onnx(path)
    assert (precision, file.opset) == ("fp32", 17)


@pytest.mark.parametrize("content", [b"", b"\0" * 3_000_000, os.urandom(2_500_000)])
def test_gzip_size_is_that_of_gzip_level_6(tmp_path, content):
    path = tmp_path / "file"
    path.write_bytes(content)

    assert gzip_bytes(path) == len(gzip.compress(content, compresslevel=6))
