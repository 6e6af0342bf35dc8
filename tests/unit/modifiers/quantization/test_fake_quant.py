from __future__ import annotations

import pytest
import torch

from sparse_core.modifiers.quantization.fake_quant import (
    SMALLEST_SCALE,
    affine_parameters,
    code_range,
    fake_quantize,
    quantize,
    symmetric_parameters,
)


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values)


@pytest.mark.parametrize(
    ("bits", "signed", "expected"),
    [(8, False, (0, 255)), (8, True, (-128, 127)), (7, True, (-64, 63)), (2, True, (-2, 1))],
)
def test_code_range(bits: int, signed: bool, expected: tuple[int, int]) -> None:
    assert code_range(bits, signed=signed) == expected


@pytest.mark.parametrize(
    ("low", "high", "scale", "zero_point"),
    [
        (-1.0, 1.55, 0.01, 100),
        (0.0, 2.55, 0.01, 0),
        (0.5, 2.55, 0.01, 0),  # the range is widened to hold zero
        (-2.55, -0.5, 0.01, 255),
        (0.0, 0.0, SMALLEST_SCALE, 0),
    ],
)
def test_affine_parameters_cover_the_range_and_zero(low: float, high: float, scale: float, zero_point: int) -> None:
    found_scale, found_zero_point = affine_parameters(torch.tensor(low), torch.tensor(high), 0, 255)
    assert found_scale.item() == pytest.approx(scale)
    assert found_zero_point.item() == zero_point
    assert found_zero_point.dtype == torch.int32


def test_symmetric_scale_maps_the_largest_magnitude_to_the_largest_code() -> None:
    scale, zero_point = symmetric_parameters(torch.tensor(-6.3), torch.tensor(2.0), 63)
    assert scale.item() == pytest.approx(0.1)
    assert zero_point.item() == 0


def test_fake_quantize_rounds_to_steps_and_clips() -> None:
    x = tensor(-2.0, -1.004, -0.006, 0.0, 0.004, 1.5512, 9.0)
    rounded = fake_quantize(x, torch.tensor(0.01), torch.tensor(100, dtype=torch.int32), 0, 255)
    torch.testing.assert_close(rounded, tensor(-1.0, -1.0, -0.01, 0.0, 0.0, 1.55, 1.55))


def test_gradient_is_one_inside_the_range_and_zero_where_clipped() -> None:
    x = tensor(-2.0, 0.3, 9.0).requires_grad_()
    fake_quantize(x, torch.tensor(0.01), torch.tensor(100, dtype=torch.int32), 0, 255).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_dtype_is_kept_and_arithmetic_is_float32(dtype: torch.dtype) -> None:
    x = torch.linspace(-1.0, 1.5, 200).to(dtype)
    scale, zero_point = torch.tensor(0.01), torch.tensor(100, dtype=torch.int32)
    rounded = fake_quantize(x, scale, zero_point, 0, 255)
    assert rounded.dtype == dtype
    assert torch.equal(rounded, fake_quantize(x.float(), scale, zero_point, 0, 255).to(dtype))


def test_codes_give_back_the_fake_quantized_values_exactly() -> None:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(64, 64, generator=generator)
    scale, zero_point = symmetric_parameters(weight.min(), weight.max(), 63)
    codes = quantize(weight, scale, zero_point, -64, 63)
    assert codes.dtype == torch.int8
    assert torch.equal(codes.float() * scale, fake_quantize(weight, scale, zero_point, -64, 63))


def test_zeros_of_either_sign_have_code_zero() -> None:
    weight = tensor(0.0, -0.0, 0.63, -0.63)
    scale, zero_point = symmetric_parameters(weight.min(), weight.max(), 63)
    assert quantize(weight, scale, zero_point, -64, 63).tolist() == [0, 0, 63, -63]


def test_unsigned_codes_are_uint8() -> None:
    codes = quantize(tensor(-1.0, 0.0, 1.55), torch.tensor(0.01), torch.tensor(100, dtype=torch.int32), 0, 255)
    assert codes.dtype == torch.uint8
    assert codes.tolist() == [0, 100, 255]
