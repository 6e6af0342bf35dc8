from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from transformers import PreTrainedModel

from sparse_core.errors import ModelError, RecipeError
from sparse_core.fields import validated
from sparse_core.modifiers.base import TrainingContext
from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization, quantization_of
from sparse_core.modifiers.quantization.modifier import QuantizationModifier
from sparse_core.modifiers.quantization.modules import QuantLinear, fake_quantizers
from sparse_core.modifiers.quantization.settings import QuantizationSettings

MakeBert = Callable[..., PreTrainedModel]


def activate(model: nn.Module, steps_per_epoch: int = 4, **settings: Any) -> Any:
    settings = {"start_epoch": 1.0, "quantize_linear_activations": False, **settings}
    modifier = QuantizationModifier(**settings)
    modifier.require_fit(model)
    return modifier.activate(TrainingContext(model, steps_per_epoch))


def phase_of(model: nn.Module) -> str | None:
    quantization = quantization_of(model)
    return quantization.phase if quantization else None


def test_structure_comes_at_the_start_and_ranges_freeze_later(make_bert: MakeBert) -> None:
    model = make_bert()
    active = activate(model, disable_quantization_observer_epoch=1.5)
    phases = {}
    for step in range(8):
        active.before_step(step / 4)
        phases[step / 4] = phase_of(model)
    assert phases == {
        **dict.fromkeys((0.0, 0.25, 0.5, 0.75), None),
        **dict.fromkeys((1.0, 1.25), "observing"),
        **dict.fromkeys((1.5, 1.75), "frozen"),
    }
    assert {fake_quant.observing for fake_quant in fake_quantizers(model)} == {False}


def test_first_quantized_step_observes_even_when_freezing_is_due(make_bert: MakeBert) -> None:
    model = make_bert()
    active = activate(model, steps_per_epoch=1, start_epoch=0.5, disable_quantization_observer_epoch=0.7)
    active.before_step(1.0)
    assert phase_of(model) == "observing"
    active.before_step(2.0)
    assert phase_of(model) == "frozen"


@pytest.mark.parametrize(
    ("next_epoch", "expected"),
    [(0.75, None), (1.0, None), (1.25, "observing"), (1.5, "observing"), (1.75, "frozen"), (2.0, "frozen")],
)
def test_resume_restores_what_the_last_step_had(make_bert: MakeBert, next_epoch: float, expected: str | None) -> None:
    model = make_bert()
    activate(model, disable_quantization_observer_epoch=1.5).restore_structure(next_epoch)
    assert phase_of(model) == expected


def test_resume_brings_ranges_back_exactly(make_bert: MakeBert, batch: dict[str, Any]) -> None:
    model, other = make_bert(), make_bert()
    active = activate(model)
    active.before_step(1.0)
    model.train()(**batch)
    activate(other).restore_structure(1.25)
    assert not other.load_state_dict(model.state_dict()).missing_keys
    assert torch.equal(model.eval()(**batch).logits, other.eval()(**batch).logits)


def test_modules_with_one_input_have_one_range(make_bert: MakeBert, batch: dict[str, Any]) -> None:
    model = make_bert()
    activate(model).before_step(1.0)
    for _ in range(3):
        model.train()(**batch)
    attention = model.bert.encoder.layer[0].attention.self
    scales = {getattr(attention, name).input_fake_quant.scale.item() for name in ("query", "key", "value")}
    assert len(scales) == 1


def test_recipe_settings_reach_the_modules(make_bert: MakeBert) -> None:
    model = make_bert()
    activate(model, weight_bits=8, quantize_embeddings=False, quantize_linear_activations=True).before_step(1.0)
    query = model.bert.encoder.layer[0].attention.self.query
    assert isinstance(query, QuantLinear)
    assert query.weight_fake_quant.code_max == 127
    assert query.output_fake_quant is not None
    assert type(model.bert.embeddings.word_embeddings) is nn.Embedding


def test_matched_parameters_are_the_weights_to_quantize(make_bert: MakeBert) -> None:
    modifier = QuantizationModifier(submodules=["bert.embeddings", "classifier"])
    names = modifier.matched_parameters(make_bert())
    tables = [f"bert.embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")]
    assert names == ["classifier.weight", *tables]


def test_settings_that_do_not_fit_are_refused_before_training(make_bert: MakeBert) -> None:
    with pytest.raises(RecipeError) as caught:
        activate(make_bert(), submodules=["albert.encodings"])
    assert caught.value.setting == "submodules"


def test_half_precision_is_refused_before_training(make_bert: MakeBert) -> None:
    with pytest.raises(ModelError) as caught:
        activate(make_bert().half())
    assert caught.value.setting == "dtype"


def test_model_quantized_in_the_same_way_goes_on(make_bert: MakeBert) -> None:
    model = make_bert()
    apply_quantization(model, QuantizationSettings(), phase="frozen")
    active = activate(model)
    active.before_step(0.0)
    assert phase_of(model) == "frozen"
    active.before_step(1.0)
    assert phase_of(model) == "observing"


@pytest.mark.parametrize(("present", "asked"), [(None, True), (True, None), (None, None)])
def test_attention_left_open_means_what_it_comes_to(
    make_bert: MakeBert, present: bool | None, asked: bool | None
) -> None:
    model = make_bert()
    apply_quantization(model, QuantizationSettings(quantize_attention=present))
    activate(model, quantize_attention=asked)
    with pytest.raises(RecipeError) as caught:
        activate(model, quantize_attention=False)
    assert caught.value.setting == "QuantizationModifier"


def test_model_quantized_in_another_way_is_refused(make_bert: MakeBert) -> None:
    model = make_bert()
    apply_quantization(model, QuantizationSettings(weight_bits=8))
    with pytest.raises(RecipeError) as caught:
        activate(model)
    assert caught.value.setting == "QuantizationModifier"


def test_batch_norm_statistics_stop_at_their_epoch(make_bert: MakeBert) -> None:
    model = make_bert()
    model.norm = nn.BatchNorm1d(3)
    active = activate(model, freeze_bn_stats_epoch=1.25)
    for epoch, moves in ((1.0, True), (1.25, False), (1.5, False)):
        before = model.norm.running_mean.clone()
        active.before_step(epoch)
        model.train()  # as the trainer does before every step
        model.norm(torch.randn(8, 3))
        assert torch.equal(before, model.norm.running_mean) != moves


def test_freezing_before_the_start_is_refused() -> None:
    with pytest.raises(RecipeError) as caught:
        validated(
            QuantizationModifier, {"start_epoch": 8.0, "disable_quantization_observer_epoch": 8.0}, error=RecipeError
        )
    assert caught.value.setting == "disable_quantization_observer_epoch"


@pytest.mark.parametrize("field", [{"end_epoch": 3.0}, {"weight_bits": 9}, {"weight_bits": 1}, {"activation_bits": 4}])
def test_values_out_of_range_are_refused(field: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        QuantizationModifier(**field)
