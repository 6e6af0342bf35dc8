from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel

VOCAB_SIZE = 60


@pytest.fixture(autouse=True)
def one_seed() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


@pytest.fixture
def make_bert() -> Callable[..., PreTrainedModel]:
    """Makes a BERT of two layers with any head, weights large enough that its logits differ from row to row."""

    def make(model_class: type[PreTrainedModel] = BertForSequenceClassification, **config: Any) -> PreTrainedModel:
        settings = dict(
            vocab_size=VOCAB_SIZE,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=64,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        model = model_class(BertConfig(**{**settings, **config}))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(std=0.2)
        return model

    return make


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    """Four rows of nine tokens, the first with padding."""
    input_ids = torch.randint(3, VOCAB_SIZE, (4, 9))
    attention_mask = torch.ones_like(input_ids)
    attention_mask[0, 5:] = 0
    return {"input_ids": input_ids, "attention_mask": attention_mask}
