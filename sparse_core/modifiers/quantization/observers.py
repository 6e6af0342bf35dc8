"""Modules that measure the range of a tensor and fake-quantize it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparse_core.modifiers.quantization.fake_quant import (
    affine_parameters,
    code_range,
    fake_quantize,
    quantize,
    symmetric_parameters,
)

ACTIVATION_BITS = 8
AVERAGING_CONSTANT = 0.01
"""Weight of a new batch in the moving average of an activation's range."""


class FakeQuantize(nn.Module):
    """Fake quantization of one tensor over its measured range.

    The range moves in train mode while `observing` is set, and never in eval mode. A batch with a value that is not
    finite does not move it. Before the first batch the input passes through unchanged.

    Buffers (scalars, all in the state dict): `min_val`, `max_val`, `scale` float32, `zero_point` int32.
    """

    min_val: Tensor
    max_val: Tensor
    scale: Tensor
    zero_point: Tensor

    def __init__(self, bits: int, *, symmetric: bool, averaging_constant: float) -> None:
        """Starts with an empty range.

        Args:
            bits: width of a code, 2 to 8.
            symmetric: signed codes with zero point 0, as for weights; otherwise unsigned codes with any zero point.
            averaging_constant: weight of a new batch in the moving average of the range, in (0, 1]; with 1 only the
                newest batch counts.
        """
        super().__init__()
        self.code_min, self.code_max = code_range(bits, signed=symmetric)
        self.symmetric = symmetric
        self.averaging_constant = averaging_constant
        self.observing = True
        self._observed = False
        for name in ("min_val", "max_val", "scale"):
            self.register_buffer(name, torch.zeros((), dtype=torch.float32))
        self.register_buffer("zero_point", torch.zeros((), dtype=torch.int32))
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """Empties the range."""
        self.min_val.fill_(torch.inf)
        self.max_val.fill_(-torch.inf)
        self.scale.fill_(1.0)
        self.zero_point.zero_()
        self._observed = False

    @property
    def is_observed(self) -> bool:
        """Whether the range was measured on a finite batch."""
        # a positive answer is kept, because reading a buffer makes a GPU wait
        if not self._observed:
            self._observed = bool(torch.isfinite(self.max_val))
        return self._observed

    @property
    def is_consistent(self) -> bool:
        """Whether scale and zero point are those of the range; False for buffers that were allocated but not loaded."""
        if not torch.isfinite(self.max_val):
            return bool(self.min_val == torch.inf and self.max_val == -torch.inf and self.scale == 1.0)
        scale, zero_point = self._scale_and_zero_point(self.min_val, self.max_val)
        return bool(torch.isclose(scale, self.scale, rtol=1e-5, atol=0.0) and zero_point == self.zero_point)

    @torch.no_grad()
    def observe(self, x: Tensor) -> None:
        """Moves the range towards that of `x`, unless `x` has a value that is not finite."""
        low, high = (bound.float() for bound in torch.aminmax(x.detach()))
        finite = torch.isfinite(low) & torch.isfinite(high)
        is_first = torch.isinf(self.max_val)
        for bound, seen in ((self.min_val, low), (self.max_val, high)):
            moved = torch.where(is_first, seen, torch.lerp(bound, seen, self.averaging_constant))
            bound.copy_(torch.where(finite, moved, bound))
        seen_any = torch.isfinite(self.max_val)
        scale, zero_point = self._scale_and_zero_point(self.min_val, self.max_val)
        self.scale.copy_(torch.where(seen_any, scale, self.scale))
        self.zero_point.copy_(torch.where(seen_any, zero_point, self.zero_point))

    def forward(self, x: Tensor) -> Tensor:
        """`x` fake-quantized; any shape, dtype of `x`."""
        if self.training and self.observing:
            self.observe(x)
        return self.apply_to(x)

    def apply_to(self, x: Tensor) -> Tensor:
        """`x` fake-quantized with the present range."""
        if not self.is_observed:
            return x
        return fake_quantize(x, self.scale, self.zero_point, self.code_min, self.code_max)

    def codes(self, x: Tensor) -> Tensor:
        """The integer codes of `x`, int8 where symmetric and uint8 otherwise."""
        return quantize(x, self.scale, self.zero_point, self.code_min, self.code_max)

    def extra_repr(self) -> str:
        """The code range, for a printed model."""
        return f"codes={self.code_min}..{self.code_max}, observing={self.observing}"

    def _scale_and_zero_point(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        if self.symmetric:
            return symmetric_parameters(low, high, self.code_max)
        return affine_parameters(low, high, self.code_min, self.code_max)


def activation_fake_quantize() -> FakeQuantize:
    """Unsigned 8-bit affine fake quantization over a moving average of the range."""
    return FakeQuantize(ACTIVATION_BITS, symmetric=False, averaging_constant=AVERAGING_CONSTANT)


def weight_fake_quantize(bits: int) -> FakeQuantize:
    """Signed symmetric fake quantization over the weight's present range."""
    return FakeQuantize(bits, symmetric=True, averaging_constant=1.0)
