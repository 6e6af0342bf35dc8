from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
import transformers
from transformers import BertForQuestionAnswering, BertForTokenClassification, BertModel, PreTrainedModel

from sparse_core.errors import RecipeError
from sparse_core.modifiers.quantization.roles import parts_of, resolve_submodules
from tests.refusals import refused

BERT_SUBMODULES = ("bert.embeddings", "bert.encoder", "bert.pooler", "classifier")
SIZES = {"vocab_size": 20, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
         "max_position_embeddings": 8, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0,
         "sep_token_id": 2}  # fmt: skip
MakeBert = Callable[..., PreTrainedModel]


def make(prefix: str, head: str = "SequenceClassification", **config: Any) -> PreTrainedModel:
    if prefix == "DistilBert":
        config = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16, "vocab_size": 20, **config}
    else:
        config = {**SIZES, **config}
    return getattr(transformers, f"{prefix}For{head}")(getattr(transformers, f"{prefix}Config")(**config))


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("Bert", ["bert.embeddings", "bert.encoder", "bert.pooler", "classifier"]),
        ("Roberta", ["roberta.embeddings", "roberta.encoder", "classifier"]),
        ("DistilBert", ["distilbert.embeddings", "distilbert.transformer", "pre_classifier", "classifier"]),
        ("Albert", ["albert.embeddings", "albert.encoder", "albert.pooler", "classifier"]),
        ("MPNet", ["mpnet.embeddings", "mpnet.encoder", "classifier"]),
        ("DebertaV2", ["deberta.embeddings", "deberta.encoder", "pooler", "classifier"]),
        ("ModernBert", ["model.embeddings", "model.layers", "head", "classifier"]),
    ],
)
def test_the_parts_of_a_bert_are_taken_by_role(prefix: str, expected: list[str]) -> None:
    assert resolve_submodules(make(prefix), BERT_SUBMODULES) == expected


def test_the_projection_behind_the_embeddings_is_one_of_them() -> None:
    parts = resolve_submodules(make("Electra", embedding_size=8), ("bert.embeddings",))
    assert parts == ["electra.embeddings", "electra.embeddings_project"]


@pytest.mark.parametrize("name", ["distilbert.transformer", "model.layers", "roberta.encoder"])
def test_names_of_any_architecture_are_understood(make_bert: MakeBert, name: str) -> None:
    assert resolve_submodules(make_bert(), (name,)) == ["bert.encoder"]


@pytest.mark.parametrize(
    ("prefix", "head", "name", "expected"),
    [
        ("Bert", "QuestionAnswering", "classifier", ["qa_outputs"]),
        ("Bert", "TokenClassification", "qa_outputs", ["dropout", "classifier"]),
        ("Roberta", "MaskedLM", "cls", ["lm_head"]),
        ("Albert", "MaskedLM", "cls", ["predictions"]),
        ("ModernBert", "QuestionAnswering", "qa_outputs", ["head", "drop", "classifier"]),
        ("Bert", "MaskedLM", "lm_head", ["cls"]),
    ],
)
def test_a_head_of_another_name_is_every_part_of_the_head(
    prefix: str, head: str, name: str, expected: list[str]
) -> None:
    assert resolve_submodules(make(prefix, head), (name,)) == expected


def test_every_part_of_a_masked_lm_head_is_found() -> None:
    parts = resolve_submodules(make("Electra", "MaskedLM"), ("cls",))
    assert {"generator_predictions", "generator_lm_head"} <= set(parts)


def test_a_missing_pooler_is_left_out_with_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        assert resolve_submodules(make("Roberta"), ("bert.pooler",)) == []
    assert caplog.messages == [
        "submodules: RobertaForSequenceClassification has no pooler, so 'bert.pooler' quantizes nothing"
    ]


def test_model_without_a_head_has_roles_but_no_classifier(make_bert: MakeBert) -> None:
    model = make_bert(BertModel)
    assert resolve_submodules(model, ("bert.encoder", "bert.pooler")) == ["encoder", "pooler"]
    with refused(RecipeError, "submodules"):
        resolve_submodules(model, ("classifier",))


def test_same_submodule_named_twice_counts_once(make_bert: MakeBert) -> None:
    assert resolve_submodules(make_bert(), ("bert.encoder", "roberta.encoder")) == ["bert.encoder"]


@pytest.mark.parametrize("name", ["bert.encodr", "bert.encoder.layer.9", "a.b.encoder", "head", "pre_classifier"])
def test_submodule_without_counterpart_is_refused(make_bert: MakeBert, name: str) -> None:
    with refused(RecipeError, "submodules"):
        resolve_submodules(make_bert(BertForTokenClassification), (name,))


def test_the_nearest_submodule_is_proposed(make_bert: MakeBert) -> None:
    with pytest.raises(RecipeError) as caught:
        resolve_submodules(make_bert(), ("bert.encodr",))
    assert caught.value.fix == "did you mean 'bert.encoder'?"


def test_parts_are_those_of_the_base_model_and_of_the_head(make_bert: MakeBert) -> None:
    assert parts_of(make_bert(BertForQuestionAnswering)) == ["bert.embeddings", "bert.encoder", "qa_outputs"]
    assert parts_of(make_bert(BertModel)) == ["embeddings", "encoder", "pooler"]
