"""The weights of an ONNX graph: how many there are, and how many of them are zero."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

_MATRIX_DIMS = 2
_ZERO_POINT_INPUT = 2
_ZERO_POINT_OF = {"MatMulInteger": {1: 3}, "QLinearMatMul": {3: 5}, "QLinearConv": {3: 5}, "ConvInteger": {1: 3}}
"""Operator -> position of the weight -> position of its zero point."""
_WEIGHT_OPERATORS = ("MatMul", "Gemm", "Conv", *_ZERO_POINT_OF)
_PASSED_ON = ("Identity", "Transpose", "DequantizeLinear")
_TENSOR_NAME = re.compile(r"(.+)\.(weight|codes)")
_WRAPPER = "model."
"""Prefix of all names in the graphs that this library exports."""


@dataclass(frozen=True)
class WeightCounts:
    """Number of weights of a graph, and fractions of zeros, 0 to 1.

    Attributes:
        num_parameters: numbers stored as weights, scales and zero points left out.
        encoder: weights of the matrix products inside numbered layers.
        model: all weights.
        by_kind: for each kind of layer: the weights that have the same place in every numbered layer, taken together.
        by_layer: for each matrix product with a weight, by the weight's name in torch.
    """

    num_parameters: int
    encoder: float
    model: float
    by_kind: dict[str, float]
    by_layer: dict[str, float]


@dataclass(frozen=True)
class _Weight:
    tensor: str
    name: str


def count_weights(model: onnx.ModelProto) -> WeightCounts:
    """Counts the zeros of a graph; a weight in 8 bits is zero where it equals its zero point."""
    graph = _Graph(model)
    layers: dict[str, tuple[int, int]] = {}
    for weight in graph.weights():
        layers[weight.tensor if weight.name in layers else weight.name] = graph.count(weight.tensor)
    whole = [graph.count(name) for name in graph.weight_tensors()]
    names = _without_wrapper(list(layers))
    by_layer = dict(zip(names, layers.values(), strict=True))
    kinds: dict[str, list[tuple[int, int]]] = {}
    encoder = []
    for name, count in by_layer.items():
        number = next((part for part in name.split(".") if part.isdigit()), None)
        kinds.setdefault(name if number is None else name.split(f".{number}.", 1)[1], []).append(count)
        if number is not None:
            encoder.append(count)
    return WeightCounts(
        num_parameters=sum(total for _, total in whole),
        encoder=_fraction(encoder),
        model=_fraction(whole),
        by_kind={kind: _fraction(counts) for kind, counts in kinds.items()},
        by_layer={name: _fraction([count]) for name, count in by_layer.items()},
    )


class _Graph:
    def __init__(self, model: onnx.ModelProto) -> None:
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = {output: node for node in model.graph.node for output in node.output}
        self._nodes = list(model.graph.node)
        self._zero_points: dict[str, tuple[str, int]] = {}
        """Weight in 8 bits -> the stored tensor with its zero point, and the axis of its channels."""
        self._scales: set[str] = set()
        for node in self._nodes:
            if node.op_type in ("DequantizeLinear", "QuantizeLinear"):
                self._note_quantization(node)

    def weights(self) -> Iterator[_Weight]:
        """The weights of the matrix products, each stored tensor once; tables of embeddings are none."""
        tables = {self._stored(node.input[0]) for node in self._nodes if node.op_type == "Gather"}
        counted: set[str] = set()
        for node in self._nodes:
            if node.op_type not in _WEIGHT_OPERATORS:
                continue
            for position, value in enumerate(node.input):
                tensor = self._stored(value)
                is_matrix = tensor in self._tensors and len(self._tensors[tensor].dims) >= _MATRIX_DIMS
                if not is_matrix or tensor in tables or tensor in counted:
                    continue
                counted.add(tensor)
                own = _ZERO_POINT_OF.get(node.op_type, {}).get(position)
                if own is not None and own < len(node.input):
                    self._note_zero_point(tensor, node.input[own], len(self._tensors[tensor].dims) - 1)
                yield _Weight(tensor, _weight_name(tensor, node.name))

    def weight_tensors(self) -> list[str]:
        """Stored tensors of floats or 8-bit integers that are no scales and no zero points; call it after `weights`."""
        kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT8, TensorProto.UINT8)
        return [
            name
            for name, tensor in self._tensors.items()
            if tensor.data_type in kinds and tensor.dims and name not in self._scales
        ]

    def count(self, tensor: str) -> tuple[int, int]:
        """Zeros and size of a stored tensor."""
        values = self._array(tensor)
        name, axis = self._zero_points.get(tensor, ("", 0))
        zero = self._array(name) if name in self._tensors else np.zeros((), values.dtype)
        if zero.size > 1:
            zero = zero.reshape([-1 if index == axis % values.ndim else 1 for index in range(values.ndim)])
        return int((values == zero).sum()), values.size

    def _array(self, name: str) -> np.ndarray:
        return numpy_helper.to_array(self._tensors[name])

    def _note_quantization(self, node: onnx.NodeProto) -> None:
        self._scales.add(self._stored(node.input[1]))
        if len(node.input) > _ZERO_POINT_INPUT:
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            self._note_zero_point(self._stored(node.input[0]), node.input[_ZERO_POINT_INPUT], axis)

    def _note_zero_point(self, tensor: str, zero_point: str, axis: int) -> None:
        name = self._stored(zero_point)
        self._zero_points[tensor] = name, axis
        self._scales.add(name)

    def _stored(self, value: str) -> str:
        """The stored tensor that a value comes from through renaming, transposing and dequantizing, or the value."""
        while value not in self._tensors:
            node = self._makers.get(value)
            if node is None or node.op_type not in _PASSED_ON:
                break
            value = node.input[0]
        return value


def _weight_name(tensor: str, node: str) -> str:
    """Name of a weight as torch has it, from the tensor, or from the node where the exporter renamed the tensor."""
    if match := _TENSOR_NAME.fullmatch(tensor):
        return f"{match[1]}.weight"
    scope = [part for part in node.split("/")[:-1] if part]
    return f"{'.'.join(scope)}.weight" if scope else tensor


def _without_wrapper(names: list[str]) -> list[str]:
    if all(name.startswith(_WRAPPER) for name in names):
        return [name.removeprefix(_WRAPPER) for name in names]
    return names


def _fraction(counts: list[tuple[int, int]]) -> float:
    total = sum(size for _, size in counts)
    return sum(zeros for zeros, _ in counts) / total if total else 0.0
