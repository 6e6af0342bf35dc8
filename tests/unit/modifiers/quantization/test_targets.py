from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from torch import nn
from transformers import (
    BertForTokenClassification,
    BertModel,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from sparse_core.errors import RecipeError
from sparse_core.modifiers.quantization.settings import QuantizationSettings
from sparse_core.modifiers.quantization.targets import quantization_targets, resolve_submodules

BERT_SUBMODULES = ("bert.embeddings", "bert.encoder", "bert.pooler", "classifier")
MakeBert = Callable[..., PreTrainedModel]


def make_distilbert() -> PreTrainedModel:
    return DistilBertForSequenceClassification(
        DistilBertConfig(dim=16, n_layers=1, n_heads=2, hidden_dim=16, vocab_size=20, max_position_embeddings=8)
    )


def make_roberta() -> PreTrainedModel:
    return RobertaForSequenceClassification(
        RobertaConfig(
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=16,
            vocab_size=20,
            max_position_embeddings=8,
        )
    )


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


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (make_roberta, ["roberta.embeddings", "roberta.encoder", "classifier"]),
        (make_distilbert, ["distilbert.embeddings", "distilbert.transformer", "classifier"]),
    ],
)
def test_names_of_another_architecture_are_taken_by_role(
    make: Callable[[], PreTrainedModel], expected: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        assert resolve_submodules(make(), BERT_SUBMODULES) == expected
    assert [record.getMessage() for record in caplog.records if "pooler" in record.getMessage()] == [
        f"submodules: {type(make()).__name__} has no pooler, so 'bert.pooler' quantizes nothing"
    ]


def test_classifier_of_another_architecture_is_every_child_of_the_head(make_bert: MakeBert) -> None:
    from transformers import BertForQuestionAnswering

    assert resolve_submodules(make_bert(BertForQuestionAnswering), ("classifier",)) == ["qa_outputs"]


def test_model_without_a_head_has_roles_but_no_classifier(make_bert: MakeBert) -> None:
    model = make_bert(BertModel)
    assert resolve_submodules(model, ("bert.encoder", "bert.pooler")) == ["encoder", "pooler"]
    with pytest.raises(
        RecipeError, match="submodules: 'classifier' is not a module of BertModel, which has embeddings"
    ):
        resolve_submodules(model, ("classifier",))


def test_same_submodule_named_twice_counts_once(make_bert: MakeBert) -> None:
    assert resolve_submodules(make_bert(), ("bert.encoder", "roberta.encoder")) == ["bert.encoder"]


@pytest.mark.parametrize("name", ["bert.encodr", "bert.encoder.layer.9", "a.b.encoder", "head"])
def test_submodule_without_counterpart_is_refused(make_bert: MakeBert, name: str) -> None:
    with pytest.raises(
        RecipeError,
        match=f"submodules: '{name}' is not a module of BertForTokenClassification, which has "
        "bert.embeddings, bert.encoder, dropout, classifier",
    ):
        resolve_submodules(make_bert(BertForTokenClassification), (name,))


def test_the_nearest_submodule_is_proposed(make_bert: MakeBert) -> None:
    with pytest.raises(RecipeError, match="did you mean 'bert.encoder'"):
        resolve_submodules(make_bert(), ("bert.encodr",))


def test_unknown_module_type_is_refused(make_bert: MakeBert) -> None:
    settings = QuantizationSettings(exclude_module_types=("LayerNrom",))
    with pytest.raises(RecipeError, match="exclude_module_types: 'LayerNrom' is neither .*did you mean 'LayerNorm'"):
        quantization_targets(make_bert(), settings)


def test_nothing_to_quantize_is_refused(make_bert: MakeBert) -> None:
    settings = QuantizationSettings(submodules=("dropout",))
    with pytest.raises(RecipeError, match=r"nothing of BertForSequenceClassification .* submodules \[dropout\]"):
        quantization_targets(make_bert(), settings)
