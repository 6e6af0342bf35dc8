"""Stand-ins for quantized modules that hold int8 weights and trace to QuantizeLinear and DequantizeLinear.

They are for tracing alone: the graph is right, the values that they return in torch are not.

The graph takes the form that ONNX Runtime, OpenVINO and deepsparse turn into int8 kernels: the input of a matmul is
quantized and dequantized, its weight is dequantized from an integer constant, and the bias is added in float. Tables
are looked up as integers and dequantized after: deepsparse refuses the other order.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparse_core.errors import ExportError
from sparse_core.modifiers.quantization.modules import QuantEmbedding, QuantLinear
from sparse_core.modifiers.quantization.observers import FakeQuantize

StoredType = Literal["int8", "uint8"]
UINT8_ZERO_POINT = 128
"""Code of zero where signed codes are stored unsigned."""


class _QuantizeDequantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
        return torch.fake_quantize_per_tensor_affine(x, scale, zero_point.to(torch.int32), 0, 255)

    @staticmethod
    def symbolic(g: Any, x: Any, scale: Any, zero_point: Any) -> Any:
        codes = g.op("QuantizeLinear", x, scale, zero_point)
        return g.op("DequantizeLinear", codes, scale, zero_point).setType(x.type())


class _Dequantize(torch.autograd.Function):
    # Tracing keeps every intermediate value alive, which for real values would be the whole model in float32 again.
    # Only the shape reaches the graph, so one repeated number will do.
    @staticmethod
    def forward(ctx: Any, codes: Tensor, scale: Tensor, zero_point: Tensor) -> Tensor:
        return scale.expand(codes.shape)

    @staticmethod
    def symbolic(g: Any, codes: Any, scale: Any, zero_point: Any) -> Any:
        return g.op("DequantizeLinear", codes, scale, zero_point).setType(codes.type().with_dtype(torch.float32))


class Int8FakeQuantize(nn.Module):
    """Quantizes to uint8 and back, with fixed parameters."""

    scale: Tensor
    zero_point: Tensor

    def __init__(self, fake_quant: FakeQuantize, name: str) -> None:
        """Takes the parameters of `fake_quant`; `name` is for the message when it is used without having any."""
        super().__init__()
        self.name = name
        self.is_observed = fake_quant.is_observed
        self.register_buffer("scale", fake_quant.scale.cpu())
        self.register_buffer("zero_point", fake_quant.zero_point.cpu().to(torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        """`x` rounded to the 256 values of the range; float32 of any shape.

        Raises:
            ExportError: no batch of training data ever went through.
        """
        if not self.is_observed:
            raise ExportError(
                "model",
                f"the range of {self.name} was never observed",
                fix="train the quantized model for at least one step",
            )
        return _QuantizeDequantize.apply(x, self.scale, self.zero_point)


class Int8Linear(nn.Module):
    """Linear layer over an integer weight stored as (in_features, out_features)."""

    codes: Tensor
    scale: Tensor
    zero_point: Tensor

    def __init__(self, linear: QuantLinear, name: str, stored_type: StoredType) -> None:
        """Takes weight codes, bias and ranges of `linear`."""
        super().__init__()
        self.input_fake_quant = Int8FakeQuantize(linear.input_fake_quant, f"{name}.input_fake_quant")
        output = linear.output_fake_quant
        self.output_fake_quant = None if output is None else Int8FakeQuantize(output, f"{name}.output_fake_quant")
        codes = linear.weight_fake_quant.codes(linear.weight.detach()).t().contiguous()
        _register_codes(self, codes, linear.weight_fake_quant.scale, stored_type)
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features), float32."""
        output = torch.matmul(self.input_fake_quant(x), _Dequantize.apply(self.codes, self.scale, self.zero_point))
        if self.bias is not None:
            output = output + self.bias
        return output if self.output_fake_quant is None else self.output_fake_quant(output)


class Int8Embedding(nn.Module):
    """Embedding over an integer table of shape (num_embeddings, embedding_dim).

    `weight` is the float table, for code that reads it past the lookup: an output layer tied to it.
    """

    codes: Tensor
    scale: Tensor
    zero_point: Tensor

    def __init__(self, embedding: QuantEmbedding) -> None:
        """Takes the table's codes; always int8, since no matmul reads them."""
        super().__init__()
        self.weight = embedding.weight
        codes = embedding.weight_fake_quant.codes(embedding.weight.detach())
        _register_codes(self, codes, embedding.weight_fake_quant.scale, "int8")

    def forward(self, ids: Tensor) -> Tensor:
        """Integer ids (...) to (..., embedding_dim), float32."""
        return _Dequantize.apply(F.embedding(ids, self.codes), self.scale, self.zero_point)


def _register_codes(module: nn.Module, codes: Tensor, scale: Tensor, stored_type: StoredType) -> None:
    zero_point = 0
    if stored_type == "uint8":
        zero_point = UINT8_ZERO_POINT
        # In the wrapped byte, adding 128 and flipping the top bit are the same.
        codes = codes.view(torch.uint8) ^ UINT8_ZERO_POINT
    module.register_buffer("codes", codes.cpu())
    module.register_buffer("scale", scale.cpu())
    module.register_buffer("zero_point", torch.tensor(zero_point, dtype=codes.dtype))


def swap_quantized_modules(model: nn.Module, stored_type: StoredType) -> None:
    """Puts the stand-ins in the place of the quantized modules of `model`; the tensors of those are left alone."""
    for name, module in list(model.named_modules()):
        for child_name, child in list(module.named_children()):
            full_name = f"{name}.{child_name}" if name else child_name
            if isinstance(child, QuantLinear):
                setattr(module, child_name, Int8Linear(child, full_name, stored_type))
            elif isinstance(child, QuantEmbedding):
                setattr(module, child_name, Int8Embedding(child))
            elif isinstance(child, FakeQuantize) and not isinstance(module, (QuantLinear, QuantEmbedding)):
                setattr(module, child_name, Int8FakeQuantize(child, full_name))
