from __future__ import annotations

import pytest
import torch

from sparse_core.modifiers.quantization.observers import activation_fake_quantize, weight_fake_quantize


def ranges(fake_quant: torch.nn.Module) -> list[float]:
    return [fake_quant.min_val.item(), fake_quant.max_val.item()]


def test_first_batch_sets_the_range_and_later_ones_move_it_by_a_hundredth() -> None:
    fake_quant = activation_fake_quantize()
    fake_quant(torch.tensor([-1.0, 1.55]))
    assert ranges(fake_quant) == pytest.approx([-1.0, 1.55])
    assert fake_quant.scale.item() == pytest.approx(0.01)
    assert fake_quant.zero_point.item() == 100
    fake_quant(torch.tensor([-3.0, 11.55]))
    assert ranges(fake_quant) == pytest.approx([-1.02, 1.65])


def test_weight_range_is_that_of_the_newest_weight() -> None:
    fake_quant = weight_fake_quantize(7)
    fake_quant(torch.tensor([-6.3, 1.0]))
    fake_quant(torch.tensor([-0.3, 0.63]))
    assert ranges(fake_quant) == [torch.tensor(-0.3).item(), torch.tensor(0.63).item()]
    assert fake_quant.scale.item() == pytest.approx(0.01)


def test_range_never_moves_in_eval_mode() -> None:
    fake_quant = activation_fake_quantize()
    fake_quant(torch.tensor([-1.0, 1.0]))
    before = {name: value.clone() for name, value in fake_quant.state_dict().items()}
    fake_quant.eval()
    fake_quant(torch.tensor([-50.0, 50.0]))
    assert all(torch.equal(value, before[name]) for name, value in fake_quant.state_dict().items())


def test_frozen_range_does_not_move_in_train_mode() -> None:
    fake_quant = activation_fake_quantize()
    fake_quant(torch.tensor([-1.0, 1.0]))
    fake_quant.observing = False
    assert fake_quant(torch.tensor([9.0])).item() == pytest.approx(1.0, abs=0.01)
    assert ranges(fake_quant) == [-1.0, 1.0]


@pytest.mark.parametrize("bad", [torch.inf, -torch.inf, torch.nan])
def test_batch_that_is_not_finite_is_skipped(bad: float) -> None:
    fake_quant = activation_fake_quantize()
    fake_quant(torch.tensor([-1.0, 1.0]))
    before = fake_quant.scale.item()
    fake_quant(torch.tensor([bad, 3.0]))
    assert ranges(fake_quant) == [-1.0, 1.0]
    assert fake_quant.scale.item() == before


@pytest.mark.parametrize("bad", [torch.inf, torch.nan])
def test_first_batch_that_is_not_finite_leaves_the_range_empty(bad: float) -> None:
    fake_quant = activation_fake_quantize()
    fake_quant(torch.tensor([bad, 3.0]))
    assert not fake_quant.is_observed
    assert fake_quant.scale.item() == 1.0
    fake_quant(torch.tensor([-1.0, 1.0]))
    assert ranges(fake_quant) == [-1.0, 1.0]


def test_input_passes_unchanged_until_a_batch_was_seen() -> None:
    x = torch.tensor([0.123456, 7.0])
    assert activation_fake_quantize().eval()(x) is x


def test_state_dict_brings_everything_back() -> None:
    source, target = activation_fake_quantize(), activation_fake_quantize()
    source(torch.tensor([-1.0, 1.55]))
    target.load_state_dict(source.state_dict())
    assert set(source.state_dict()) == {"min_val", "max_val", "scale", "zero_point"}
    assert source.state_dict()["zero_point"].dtype == torch.int32
    x = torch.linspace(-2, 2, 50)
    assert torch.equal(source.eval()(x), target.eval()(x))


def test_reset_forgets() -> None:
    fake_quant = activation_fake_quantize()
    fake_quant(torch.tensor([-1.0, 1.55]))
    fake_quant.reset()
    assert not fake_quant.is_observed
    assert fake_quant.is_consistent


def test_buffers_that_were_never_loaded_are_not_consistent() -> None:
    fake_quant = activation_fake_quantize()
    assert fake_quant.is_consistent
    fake_quant(torch.tensor([-1.0, 1.55]))
    assert fake_quant.is_consistent
    for buffer in fake_quant.buffers():
        buffer.zero_()
    assert not fake_quant.is_consistent


def test_printed_form_names_the_codes() -> None:
    assert "codes=-64..63, observing=True" in repr(weight_fake_quantize(7))
