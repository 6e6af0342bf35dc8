from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedModel, PreTrainedTokenizerFast

from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization
from sparse_core.modifiers.quantization.settings import QuantizationSettings

VOCAB_SIZE = 60
WORDS = ["[PAD]", "[UNK]", *(f"w{index}" for index in range(VOCAB_SIZE - 2))]


def make_tokenizer(input_names: tuple[str, ...] = ("input_ids", "attention_mask")) -> PreTrainedTokenizerFast:
    """A tokenizer that knows `WORDS`."""
    backend = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        model_max_length=64,
        model_input_names=list(input_names),
    )


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
def make_quantized(make_bert: Callable[..., PreTrainedModel]) -> Callable[..., PreTrainedModel]:
    """Makes a quantized BERT whose ranges have seen three batches, in eval mode."""

    def make(
        model_class: type[PreTrainedModel] = BertForSequenceClassification,
        sparsity: float = 0.0,
        **settings: Any,
    ) -> PreTrainedModel:
        model = make_bert(model_class)
        if sparsity:
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    if "encoder" in name and parameter.dim() > 1:
                        parameter[torch.rand_like(parameter) < sparsity] = -0.0
        apply_quantization(model, QuantizationSettings(**settings))
        model.train()
        for _ in range(3):
            model(input_ids=torch.randint(3, VOCAB_SIZE, (4, 20)))
        return model.eval()

    return make
