from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from sparse_core.modifiers.quantization.modules import (
    QuantEmbedding,
    QuantLinear,
    fake_quantizers,
    quantize_embedding,
    quantize_linear,
    reset_ranges,
    set_observing,
)


def test_linear_keeps_its_parameters_and_their_names() -> None:
    linear = nn.Linear(4, 3)
    weight, bias = linear.weight, linear.bias
    quantize_linear(linear, weight_bits=7, quantize_output=False)
    assert type(linear) is QuantLinear
    assert linear.weight is weight and linear.bias is bias
    assert [name for name, _ in linear.named_parameters()] == ["weight", "bias"]
    assert {"input_fake_quant.scale", "weight_fake_quant.zero_point"} <= set(linear.state_dict())
    assert linear.output_fake_quant is None


def test_linear_multiplies_fake_quantized_operands() -> None:
    linear = nn.Linear(4, 3)
    x = torch.randn(5, 4)
    quantize_linear(linear, weight_bits=7, quantize_output=False)
    output = linear(x)
    weight = linear.weight_fake_quant.apply_to(linear.weight)
    expected = F.linear(linear.input_fake_quant.apply_to(x), weight, linear.bias)
    assert torch.equal(output, expected)
    assert linear.weight_fake_quant.scale.item() == (linear.weight.abs().max() / 63).item()


def test_linear_output_is_quantized_on_request() -> None:
    linear = nn.Linear(4, 3)
    quantize_linear(linear, weight_bits=8, quantize_output=True)
    output = linear(torch.randn(50, 4))
    assert linear.output_fake_quant is not None
    steps = output / linear.output_fake_quant.scale
    torch.testing.assert_close(steps, steps.round(), atol=1e-4, rtol=0)


def test_embedding_equals_a_lookup_in_the_fake_quantized_table_with_the_same_gradient() -> None:
    embedding = nn.Embedding(10, 4, padding_idx=0)
    ids = torch.tensor([[1, 2, 0], [2, 9, 9]])
    quantize_embedding(embedding)
    assert type(embedding) is QuantEmbedding
    rows = embedding(ids)
    (rows * 2).sum().backward()
    found = embedding.weight.grad
    embedding.weight.grad = None
    table = embedding.weight_fake_quant.apply_to(embedding.weight)
    (F.embedding(ids, table, padding_idx=0) * 2).sum().backward()
    assert torch.equal(rows, table[ids])
    assert found is not None and embedding.weight.grad is not None
    assert torch.equal(found, embedding.weight.grad)


def test_embedding_table_has_eight_bits() -> None:
    embedding = nn.Embedding(10, 4)
    quantize_embedding(embedding)
    assert embedding.weight_fake_quant.code_max == 127


def test_zeros_of_a_weight_stay_zeros() -> None:
    linear = nn.Linear(8, 8)
    with torch.no_grad():
        linear.weight[torch.rand(8, 8) < 0.8] = -0.0
    zeros = linear.weight == 0
    quantize_linear(linear, weight_bits=7, quantize_output=False)
    assert (linear.weight_fake_quant.codes(linear.weight.detach())[zeros] == 0).all()


def test_training_mode_and_phase_reach_every_fake_quantizer() -> None:
    model = nn.Sequential(nn.Linear(2, 2)).eval()
    quantize_linear(model[0], weight_bits=7, quantize_output=True)
    assert [child.training for child in fake_quantizers(model)] == [False] * 3
    set_observing(model, False)
    assert [child.observing for child in fake_quantizers(model)] == [False] * 3


def test_module_on_meta_has_empty_ranges_until_they_are_reset() -> None:
    with torch.device("meta"):
        linear = nn.Linear(2, 2)
    quantize_linear(linear, weight_bits=7, quantize_output=False)
    linear.to_empty(device="cpu")
    nn.init.constant_(linear.weight, 0.63)
    reset_ranges(linear)
    assert linear.input_fake_quant.max_val == -torch.inf
    assert abs(linear.weight_fake_quant.scale.item() - 0.01) < 1e-8


def test_bfloat16_autocast_keeps_ranges_in_float32_and_close_to_full_precision() -> None:
    linear = nn.Linear(16, 16)
    quantize_linear(linear, weight_bits=7, quantize_output=True)
    x = torch.randn(64, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        output = linear(x)
        output.float().sum().backward()
    assert output.dtype == torch.bfloat16
    assert {buffer.dtype for buffer in linear.buffers()} == {torch.float32, torch.int32}
    assert linear.weight.grad is not None and linear.weight.grad.isfinite().all()
    linear.eval()
    torch.testing.assert_close(output.float(), linear(x), atol=0.05, rtol=0.05)


def test_gradient_accumulation_moves_activation_ranges_with_every_forward_pass() -> None:
    linear = nn.Linear(2, 2)
    quantize_linear(linear, weight_bits=7, quantize_output=False)
    for _ in range(2):
        linear(torch.tensor([[-1.0, 1.0]])).sum().backward()
    linear(torch.tensor([[-1.0, 2.0]])).sum().backward()
    assert abs(linear.input_fake_quant.max_val.item() - 1.01) < 1e-6
