from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn
from transformers import (
    BertForMaskedLM,
    DebertaV2Config,
    DebertaV2ForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    PreTrainedModel,
)

from sparse_core.errors import RecipeError
from sparse_core.modifiers.quantization.settings import QuantizationSettings
from sparse_core.modifiers.quantization.targets import quantization_targets, settings_for
from tests.refusals import refused

MakeBert = Callable[..., PreTrainedModel]


def test_all_linears_tables_and_attentions_by_default(make_bert: MakeBert) -> None:
    targets = quantization_targets(make_bert(), QuantizationSettings())
    assert len(targets.linears) == 2 * 6 + 2
    assert targets.embeddings == [f"bert.embeddings.{name}_embeddings" for name in ("word", "position", "token_type")]
    assert targets.attentions == [f"bert.encoder.layer.{layer}.attention.self" for layer in (0, 1)]


def test_submodules_limit_what_is_quantized(make_bert: MakeBert) -> None:
    targets = quantization_targets(make_bert(), QuantizationSettings(submodules=("bert.encoder.layer.1", "classifier")))
    assert len(targets.linears) == 6 + 1
    assert targets.embeddings == []
    assert targets.attentions == ["bert.encoder.layer.1.attention.self"]


def test_a_submodule_is_no_prefix_of_a_longer_name(make_bert: MakeBert) -> None:
    model = make_bert(num_hidden_layers=11)
    targets = quantization_targets(model, QuantizationSettings(submodules=("bert.encoder.layer.1",)))
    assert len(targets.linears) == 6


def test_excluded_types_are_left_out_with_what_is_inside(make_bert: MakeBert) -> None:
    settings = QuantizationSettings(exclude_module_types=("BertPooler", "Embedding", "BertSelfAttention"))
    targets = quantization_targets(make_bert(), settings)
    assert len(targets.linears) == 2 * 3 + 1
    assert targets.embeddings == targets.attentions == []


def test_excluding_types_without_weights_changes_nothing(make_bert: MakeBert) -> None:
    model = make_bert()
    assert quantization_targets(model, QuantizationSettings(exclude_module_types=("LayerNorm", "Tanh"))) == (
        quantization_targets(model, QuantizationSettings())
    )


def test_embeddings_and_attention_are_switchable(make_bert: MakeBert) -> None:
    settings = QuantizationSettings(quantize_embeddings=False, quantize_attention=False)
    targets = quantization_targets(make_bert(), settings)
    assert targets.embeddings == targets.attentions == []
    assert len(targets.linears) == 14


def test_subclass_of_a_known_layer_is_left_alone() -> None:
    class Scaled(nn.Linear):
        pass

    model = nn.Sequential(Scaled(2, 2), nn.Linear(2, 2))
    assert quantization_targets(model, QuantizationSettings(quantize_attention=False)).linears == ["1"]


def test_unknown_module_type_is_refused(make_bert: MakeBert) -> None:
    settings = QuantizationSettings(exclude_module_types=("LayerNrom",))
    with refused(RecipeError, "exclude_module_types"):
        quantization_targets(make_bert(), settings)


def test_nothing_to_quantize_is_refused(make_bert: MakeBert) -> None:
    settings = QuantizationSettings(submodules=("dropout",))
    with refused(RecipeError, "submodules"):
        quantization_targets(make_bert(), settings)


def test_tied_decoder_is_kept_float_with_the_reason(make_bert: MakeBert) -> None:
    targets = quantization_targets(make_bert(BertForMaskedLM), QuantizationSettings())
    assert len(targets.linears) == 2 * 6 + 1
    assert targets.kept_float == {
        "cls.predictions.decoder": "its weight is the table of bert.embeddings.word_embeddings"
    }


def test_kept_float_is_only_what_the_settings_name(make_bert: MakeBert) -> None:
    settings = QuantizationSettings(submodules=("bert.encoder",))
    assert quantization_targets(make_bert(BertForMaskedLM), settings).kept_float == {}


def test_nothing_but_a_tied_decoder_is_nothing(make_bert: MakeBert) -> None:
    settings = QuantizationSettings(submodules=("cls.predictions.decoder",))
    with refused(RecipeError, "submodules"):
        quantization_targets(make_bert(BertForMaskedLM), settings)


TINY = {"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "max_position_embeddings": 8}  # fmt: skip


@pytest.mark.parametrize(
    ("model", "table", "reason"),
    [
        (
            lambda: MPNetForSequenceClassification(MPNetConfig(**TINY)),
            "mpnet.encoder.relative_attention_bias",
            "added to the attention scores",
        ),
        (
            lambda: DebertaV2ForSequenceClassification(DebertaV2Config(**TINY, relative_attention=True)),
            "deberta.encoder.rel_embeddings",
            "multiplies with the whole table",
        ),
    ],
)
def test_tables_of_relative_positions_stay_float(model: Callable[[], PreTrainedModel], table: str, reason: str) -> None:
    made = model()
    targets = quantization_targets(made, QuantizationSettings())
    assert list(targets.kept_float) == [table] and reason in targets.kept_float[table]
    assert table not in targets.embeddings and len(targets.embeddings) > 0
    settings = QuantizationSettings(quantize_embeddings=False)
    assert quantization_targets(made, settings).kept_float == {}


def test_attention_that_is_left_open_follows_the_model(make_bert: MakeBert) -> None:
    assert settings_for(make_bert(), QuantizationSettings()) == QuantizationSettings(quantize_attention=True)
    mpnet = MPNetForSequenceClassification(MPNetConfig(**TINY))
    assert settings_for(mpnet, QuantizationSettings()) == QuantizationSettings(quantize_attention=False)
    for asked in (True, False):
        settings = QuantizationSettings(quantize_attention=asked)
        assert settings_for(mpnet, settings) is settings
