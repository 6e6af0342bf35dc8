from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from sparse_core.errors import ModelError, RecipeError
from sparse_core.modifiers.quantization.attention import (
    ATTENTION_NAME,
    AttentionFakeQuant,
    attention_modules,
    quantized_attention,
    require_attention_interface,
)
from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization, quantization_of
from sparse_core.modifiers.quantization.settings import QuantizationSettings
from tests.refusals import refused

SMALL = dict(vocab_size=60, max_position_embeddings=64)
OTHER_ARCHITECTURES: list[Callable[[], PreTrainedModel]] = [
    lambda: RobertaForSequenceClassification(
        RobertaConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, **SMALL)
    ),
    lambda: DistilBertForSequenceClassification(
        DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=48, **SMALL)
    ),
    lambda: ElectraForSequenceClassification(
        ElectraConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, **SMALL)
    ),
]


def observed_operands(model: nn.Module) -> list[bool]:
    return [
        child.is_observed
        for module in model.modules()
        if isinstance(module, AttentionFakeQuant)
        for child in module.children()
    ]


@pytest.mark.parametrize(
    "model_class",
    [BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering, BertForMaskedLM],
)
def test_both_matmuls_are_quantized_whatever_the_head(
    make_bert: Callable[..., PreTrainedModel], batch: dict[str, Any], model_class: type[PreTrainedModel]
) -> None:
    model = make_bert(model_class)
    apply_quantization(model, QuantizationSettings())
    model.train()(**batch)
    assert observed_operands(model) == [True] * 8  # two layers of four operands


@pytest.mark.parametrize("make", OTHER_ARCHITECTURES)
def test_other_architectures_are_quantized_through_the_same_interface(
    make: Callable[[], PreTrainedModel], batch: dict[str, Any]
) -> None:
    model = make()
    apply_quantization(model, QuantizationSettings())
    model.train()(**batch)
    assert observed_operands(model) == [True] * 8


def test_switched_off_it_computes_plain_attention(
    make_bert: Callable[..., PreTrainedModel], batch: dict[str, Any]
) -> None:
    model = make_bert().eval()
    expected = model(**batch).logits
    apply_quantization(model, QuantizationSettings(quantize_attention=False))
    assert observed_operands(model) == []
    for module in model.modules():  # leave the attention function as the only difference
        if hasattr(module, "weight_fake_quant"):
            module.weight_fake_quant.reset()
    torch.testing.assert_close(model(**batch).logits, expected)


def test_probabilities_are_observed_before_dropout(make_bert: Callable[..., PreTrainedModel]) -> None:
    model = make_bert(attention_probs_dropout_prob=0.5)
    apply_quantization(model, QuantizationSettings())
    model.train()(input_ids=torch.full((4, 1), 5))  # one token: its probability is exactly 1
    probs = next(module for module in model.modules() if isinstance(module, AttentionFakeQuant)).probs
    assert probs.max_val.item() == 1.0


def test_scores_by_hand() -> None:
    query = torch.tensor([[[[2.0, 0.0]]]])
    key = torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    value = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    output, probs = quantized_attention(nn.Module(), query, key, value, None, scaling=0.5)
    expected = torch.softmax(torch.tensor([1.0, 0.0]), 0)
    torch.testing.assert_close(probs.flatten(), expected)
    torch.testing.assert_close(output.flatten(), expected @ value[0, 0])


def test_grouped_keys_serve_several_query_heads() -> None:
    query, key, value = torch.randn(1, 4, 3, 8), torch.randn(1, 2, 5, 8), torch.randn(1, 2, 5, 8)
    output, _ = quantized_attention(nn.Module(), query, key, value, None)
    expected = nn.functional.scaled_dot_product_attention(query, key, value, enable_gqa=True)
    torch.testing.assert_close(output.transpose(1, 2), expected)


def test_kind_of_attention_that_is_not_computed_is_refused() -> None:
    states = torch.randn(1, 1, 2, 4)
    with refused(ModelError, "quantize_attention"):
        quantized_attention(nn.Module(), states, states, states, None, softcap=30.0)


def make_mpnet() -> PreTrainedModel:
    return MPNetForSequenceClassification(
        MPNetConfig(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, **SMALL)
    )


def test_model_outside_the_attention_interface_is_refused_when_its_attention_is_asked_for() -> None:
    with refused(RecipeError, "quantize_attention"):
        require_attention_interface(nn.Linear(2, 2))
    with refused(RecipeError, "quantize_attention"):
        apply_quantization(make_mpnet(), QuantizationSettings(quantize_attention=True))


@pytest.mark.parametrize(("asked", "messages"), [(None, 1), (False, 0)])
def test_attention_out_of_reach_stays_float_with_a_warning_where_it_was_left_open(
    asked: bool | None, messages: int, caplog: pytest.LogCaptureFixture
) -> None:
    model = make_mpnet()
    apply_quantization(model, QuantizationSettings(quantize_attention=asked))
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == messages * [
        "quantize_attention: the attention matmuls of MPNetForSequenceClassification stay float, because it does not "
        "use the AttentionInterface of transformers"
    ]
    quantization = quantization_of(model)
    assert quantization is not None and quantization.settings.quantize_attention is False
    assert observed_operands(model) == []


def test_the_model_is_told_the_attention_function(make_bert: Callable[..., PreTrainedModel]) -> None:
    model = make_bert()
    names = ["bert.encoder.layer.0.attention.self", "bert.encoder.layer.1.attention.self"]
    assert list(attention_modules(model)) == names
    apply_quantization(model, QuantizationSettings())
    # transformers keeps the name in force here; if it moves, the quantized attention is never called
    assert model.config._attn_implementation == ATTENTION_NAME
    assert model.config.to_dict()["attn_implementation"] == ATTENTION_NAME
