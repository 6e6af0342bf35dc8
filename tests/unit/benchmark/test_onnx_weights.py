"""Zeros and names of the weights in a file are those of the torch model that it was exported from."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from sparse_core.benchmark.onnx_weights import count_weights


def graph(nodes, **tensors):
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 4]) for name in ("x", "y")]
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in tensors.items()]
    return helper.make_model(helper.make_graph(nodes, "graph", values[:1], values[1:], initializers))


def test_a_float_export_counts_as_the_torch_model(tiny_model):
    import torch
    from transformers import BertForSequenceClassification

    from sparse_core.export.onnx import export_model
    from sparse_core.modifiers.pruning.parameters import prunable_parameters
    from sparse_core.modifiers.pruning.report import sparsity_report

    model = BertForSequenceClassification.from_pretrained(tiny_model).eval()
    with torch.no_grad():
        for number, weight in enumerate(prunable_parameters(model).values()):
            weight.view(-1)[: weight.numel() * number // 20] = 0
    path = tiny_model.parent / "pruned.onnx"
    export_model(model, path)

    counts, expected = count_weights(onnx.load(path)), sparsity_report(model)

    assert counts.by_layer == pytest.approx(expected.layers)
    assert counts.by_kind == pytest.approx(expected.by_kind)
    assert counts.encoder == pytest.approx(expected.encoder)
    assert counts.model == pytest.approx(expected.model, abs=0.05)  # equal biases are stored once


@pytest.mark.parametrize("operator", ["DequantizeLinear", "MatMulInteger"])
@pytest.mark.parametrize("zero_point", [np.uint8(128), np.array([128, 7, 0, 255], np.uint8)])
def test_a_weight_in_8_bits_is_zero_where_it_equals_its_zero_point(operator, zero_point):
    codes = np.full((4, 4), 3, np.uint8)
    codes[0] = zero_point
    if operator == "DequantizeLinear":
        nodes = [
            helper.make_node("Identity", ["zero"], ["same_zero"]),
            helper.make_node("DequantizeLinear", ["layer.0.dense.codes", "scale", "same_zero"], ["weight"], axis=1),
            helper.make_node("MatMul", ["x", "weight"], ["y"]),
        ]
    else:
        nodes = [helper.make_node("MatMulInteger", ["x", "layer.0.dense.codes", "", "zero"], ["y"])]
    model = graph(nodes, **{"layer.0.dense.codes": codes, "scale": np.float32(0.5), "zero": zero_point})

    counts = count_weights(model)

    assert counts.by_layer == {"layer.0.dense.weight": 0.25}
    assert (counts.encoder, counts.model, counts.num_parameters) == (0.25, 0.25, 16)


def test_tables_and_weights_that_share_one_are_not_counted_as_layers_and_a_shared_weight_counts_once():
    table, weight = np.zeros((4, 4), np.float32), np.eye(4, dtype=np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "x"], ["a"]),
        helper.make_node("MatMul", ["a", "shared"], ["b"], name="/encoder/layer.0/dense/MatMul"),
        helper.make_node("MatMul", ["b", "shared"], ["c"], name="/encoder/layer.0/dense_1/MatMul"),
        helper.make_node("Transpose", ["table"], ["head"]),
        helper.make_node("MatMul", ["c", "head"], ["y"]),
    ]

    counts = count_weights(graph(nodes, table=table, shared=weight))

    assert counts.by_layer == {"encoder.layer.0.dense.weight": 0.75}
    assert (counts.model, counts.num_parameters) == (28 / 32, 32)
