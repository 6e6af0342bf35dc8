"""Linear and embedding layers that simulate int8, made from float layers in place.

A float layer becomes a quantized one when its class is changed. Its Parameters stay the same objects under the same
names, so that optimizer state, pruning masks, tied weights and checkpoints still fit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sparse_core.modifiers.quantization.observers import FakeQuantize, activation_fake_quantize, weight_fake_quantize

EMBEDDING_BITS = 8
"""Bits of an embedding table; a lookup has no accumulator that could overflow."""


class QuantLinear(nn.Linear):
    """Linear layer with fake-quantized input and weight, and output if the settings say so."""

    input_fake_quant: FakeQuantize
    weight_fake_quant: FakeQuantize
    output_fake_quant: FakeQuantize | None

    def forward(self, input: Tensor) -> Tensor:
        """Like `nn.Linear`: (..., in_features) to (..., out_features)."""
        output = F.linear(self.input_fake_quant(input), self.weight_fake_quant(self.weight), self.bias)
        return output if self.output_fake_quant is None else self.output_fake_quant(output)


class QuantEmbedding(nn.Embedding):
    """Embedding with a fake-quantized table."""

    weight_fake_quant: FakeQuantize

    def forward(self, input: Tensor) -> Tensor:
        """Like `nn.Embedding`: integer ids of any shape (...) to (..., embedding_dim)."""
        fake_quant = self.weight_fake_quant
        if fake_quant.training and fake_quant.observing:
            fake_quant.observe(self.weight)
        # the table has one scale, so only the rows that are looked up need rounding
        return fake_quant.apply_to(super().forward(input))


def quantize_linear(module: nn.Linear, *, weight_bits: int, quantize_output: bool) -> None:
    """Makes a `QuantLinear` of `module` in place; the weight's range is measured at once, unless it is on meta."""
    module.__class__ = QuantLinear
    module.input_fake_quant = _like(module, activation_fake_quantize())
    module.weight_fake_quant = _like(module, weight_fake_quantize(weight_bits))
    module.add_module("output_fake_quant", _like(module, activation_fake_quantize()) if quantize_output else None)
    reset_ranges(module)


def quantize_embedding(module: nn.Embedding) -> None:
    """Makes a `QuantEmbedding` of `module` in place; the table's range is measured at once, unless it is on meta."""
    module.__class__ = QuantEmbedding
    module.weight_fake_quant = _like(module, weight_fake_quantize(EMBEDDING_BITS))
    reset_ranges(module)


def reset_ranges(module: nn.Module) -> None:
    """Empties the ranges of the children of `module`, and measures that of its weight again."""
    for child in module.children():
        if isinstance(child, FakeQuantize):
            child.reset()
    if isinstance(module, (QuantLinear, QuantEmbedding)) and not module.weight.is_meta:
        module.weight_fake_quant.observe(module.weight)


def _like(module: nn.Linear | nn.Embedding, fake_quant: FakeQuantize) -> FakeQuantize:
    return fake_quant.to(module.weight.device).train(module.training)


def fake_quantizers(model: nn.Module) -> list[FakeQuantize]:
    """All fake quantizers of `model`, in the order of its modules."""
    return [module for module in model.modules() if isinstance(module, FakeQuantize)]


@torch.no_grad()
def set_observing(model: nn.Module, observing: bool) -> None:
    """Lets the ranges in `model` move in train mode, or freezes them."""
    for fake_quant in fake_quantizers(model):
        fake_quant.observing = observing
