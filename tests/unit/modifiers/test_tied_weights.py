"""Which output layers share their weight with a table."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForMaskedLM, BertForSequenceClassification

from sparse_core.modifiers.tied_weights import tied_linears

TINY = {"vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
        "max_position_embeddings": 8}  # fmt: skip
DECODER, TABLE = "cls.predictions.decoder", "bert.embeddings.word_embeddings"


def test_a_tied_layer_is_found_by_identity() -> None:
    net = nn.ModuleDict({"table": nn.Embedding(5, 4), "head": nn.Linear(4, 5), "other": nn.Linear(4, 5)})
    assert tied_linears(net) == {}
    net["head"].weight = net["table"].weight
    assert tied_linears(net) == {"head": "table"}


def test_two_linears_that_share_a_weight_are_not_tied_to_a_table() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    assert tied_linears(net) == {}


@pytest.mark.parametrize(("tie_word_embeddings", "expected"), [(True, {DECODER: TABLE}), (False, {})])
def test_the_decoder_of_a_masked_lm(tie_word_embeddings: bool, expected: dict[str, str]) -> None:
    model = BertForMaskedLM(BertConfig(**TINY, tie_word_embeddings=tie_word_embeddings))
    assert tied_linears(model) == expected


def test_a_tie_that_is_only_declared_counts() -> None:
    """As while from_pretrained builds a model: it ties after it has loaded."""
    model = BertForMaskedLM(BertConfig(**TINY))
    model.cls.predictions.decoder.weight = nn.Parameter(torch.zeros(9, 8))
    assert tied_linears(model) == {DECODER: TABLE}


def test_a_classifier_is_not_tied() -> None:
    assert tied_linears(BertForSequenceClassification(BertConfig(**TINY))) == {}
