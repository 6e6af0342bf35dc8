"""Fake quantization and its parameters, as functions of tensors.

Real value and integer code are related by real = (code - zero_point) * scale (Jacob et al. 2018, equation 1).
"""

from __future__ import annotations

import torch
from torch import Tensor

SMALLEST_SCALE = torch.finfo(torch.float32).eps
"""Lower bound of a scale, so that a range of zero width has an inverse."""


def code_range(bits: int, *, signed: bool) -> tuple[int, int]:
    """Smallest and largest code of a `bits`-bit integer, `bits` in 2..8."""
    return (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)


def affine_parameters(minimum: Tensor, maximum: Tensor, code_min: int, code_max: int) -> tuple[Tensor, Tensor]:
    """Scale (float32) and zero point (int32) whose codes cover [minimum, maximum] and hold zero exactly.

    Args:
        minimum: smallest real value, any shape, float32.
        maximum: largest real value, shape of `minimum`, float32.
        code_min: smallest code.
        code_max: largest code.
    """
    low, high = minimum.clamp(max=0.0), maximum.clamp(min=0.0)
    scale = ((high - low) / (code_max - code_min)).clamp(min=SMALLEST_SCALE)
    zero_point = (code_min - low / scale).round().clamp(code_min, code_max)
    return scale, zero_point.to(torch.int32)


def symmetric_parameters(minimum: Tensor, maximum: Tensor, code_max: int) -> tuple[Tensor, Tensor]:
    """Scale (float32) that maps the largest magnitude to `code_max`, and zero point 0 (int32)."""
    scale = (torch.maximum(-minimum, maximum) / code_max).clamp(min=SMALLEST_SCALE)
    return scale, torch.zeros_like(scale, dtype=torch.int32)


def fake_quantize(x: Tensor, scale: Tensor, zero_point: Tensor, code_min: int, code_max: int) -> Tensor:
    """`x` rounded to the real values that codes stand for; shape and dtype of `x`.

    The gradient passes unchanged where the code lies in the range and is zero where it was clipped (straight-through
    estimator). The arithmetic is float32 whatever the dtype of `x`: half precision cannot hold 255 steps of a range.

    Args:
        x: any shape, float32, bfloat16 or float16.
        scale: one value, float32.
        zero_point: one value, int32.
        code_min: smallest code.
        code_max: largest code.
    """
    rounded = torch.fake_quantize_per_tensor_affine(x.float(), scale, zero_point, code_min, code_max)
    return rounded.to(x.dtype)


def quantize(x: Tensor, scale: Tensor, zero_point: Tensor, code_min: int, code_max: int) -> Tensor:
    """The codes of `x`, int8 for a signed range and uint8 otherwise.

    They come from `fake_quantize`, so that (code - zero_point) * scale is exactly what the model was trained with, also
    where another way of rounding would give the next code.
    """
    steps = fake_quantize(x.float(), scale, zero_point, code_min, code_max) / scale
    codes = steps.round_().add_(zero_point)
    return codes.to(torch.int8 if code_min < 0 else torch.uint8)
