from __future__ import annotations

import copy
import json
import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    PreTrainedModel,
)
from transformers.trainer_utils import validate_quantization_for_training

from sparse_core.errors import ModelError
from sparse_core.modifiers.quantization.hf_quantizer import (
    SparsePipelinesConfig,
    apply_quantization,
    quantization_of,
    set_phase,
)
from sparse_core.modifiers.quantization.modules import QuantEmbedding, QuantLinear, fake_quantizers
from sparse_core.modifiers.quantization.settings import QuantizationSettings
from tests.refusals import refused

MakeBert = Callable[..., PreTrainedModel]
Batch = dict[str, Any]
SETTINGS = QuantizationSettings(
    submodules=("bert.encoder", "classifier"), exclude_module_types=("LayerNorm",), quantize_attention=True
)


@pytest.fixture
def trained(make_bert: MakeBert, batch: Batch) -> PreTrainedModel:
    """A quantized model that has seen a batch."""
    model = make_bert()
    apply_quantization(model, QuantizationSettings())
    model.train()(**batch)
    return model.eval()


def test_parameters_and_their_names_stay(make_bert: MakeBert) -> None:
    model = make_bert()
    before = dict(model.named_parameters())
    apply_quantization(model, QuantizationSettings())
    after = dict(model.named_parameters())
    assert list(before) == list(after)
    assert all(after[name] is parameter for name, parameter in before.items())


def test_state_dict_adds_only_ranges(make_bert: MakeBert) -> None:
    model = make_bert()
    before = set(model.state_dict())
    apply_quantization(model, QuantizationSettings())
    added = set(model.state_dict()) - before
    assert before <= set(model.state_dict())
    assert {name.rsplit(".", 1)[1] for name in added} == {"min_val", "max_val", "scale", "zero_point"}
    assert len(added) == 4 * len(fake_quantizers(model)) == 4 * (14 * 2 + 3 + 2 * 4)


def test_round_trip_gives_equal_logits_and_no_stray_keys(
    trained: PreTrainedModel, batch: Batch, tmp_path: Path
) -> None:
    trained.save_pretrained(tmp_path)
    loaded, info = BertForSequenceClassification.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    assert torch.equal(loaded(**batch).logits, trained(**batch).logits)
    assert all(fake_quant.is_observed for fake_quant in fake_quantizers(loaded))
    assert [path.name for path in tmp_path.iterdir() if path.suffix in {".bin", ".pt"}] == []


@pytest.mark.parametrize("phase", ["observing", "frozen"])
def test_phase_and_settings_are_kept(make_bert: MakeBert, tmp_path: Path, phase: Any) -> None:
    model = make_bert()
    apply_quantization(model, SETTINGS)
    set_phase(model, phase)
    model.save_pretrained(tmp_path)
    loaded = BertForSequenceClassification.from_pretrained(tmp_path)
    quantization = quantization_of(loaded)
    assert quantization is not None
    assert quantization.settings == SETTINGS
    assert quantization.phase == phase
    assert {fake_quant.observing for fake_quant in fake_quantizers(loaded)} == {phase == "observing"}


def test_attention_that_is_left_open_is_decided_in_the_checkpoint(make_bert: MakeBert, tmp_path: Path) -> None:
    make_bert().save_pretrained(tmp_path / "float")
    model = BertForSequenceClassification.from_pretrained(
        tmp_path / "float", quantization_config=SparsePipelinesConfig()
    )
    model.save_pretrained(tmp_path / "quantized")
    config = json.loads((tmp_path / "quantized" / "config.json").read_text())
    assert config["quantization_config"]["quantize_attention"] is True


def test_tied_decoder_stays_tied_and_float_in_memory_and_on_disk(
    make_bert: MakeBert, batch: Batch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = make_bert(BertForMaskedLM)
    with caplog.at_level(logging.INFO):
        apply_quantization(model, QuantizationSettings())
    assert [record.getMessage() for record in caplog.records if "stays float" in record.getMessage()] == [
        "submodules: cls.predictions.decoder stays float, because its weight is the table of "
        "bert.embeddings.word_embeddings"
    ]
    model.train()(**batch, labels=batch["input_ids"]).loss.backward()
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    model.eval().save_pretrained(tmp_path)
    loaded = BertForMaskedLM.from_pretrained(tmp_path)
    for tied in (model, loaded):
        decoder, table = tied.cls.predictions.decoder, tied.bert.embeddings.word_embeddings
        assert (type(decoder), type(table)) == (nn.Linear, QuantEmbedding)
        assert decoder.weight is table.weight
    assert torch.equal(loaded(**batch).logits, model(**batch).logits)


def test_decoder_that_is_not_tied_is_quantized(make_bert: MakeBert, batch: Batch, tmp_path: Path) -> None:
    model = make_bert(BertForMaskedLM, tie_word_embeddings=False)
    apply_quantization(model, QuantizationSettings())
    model.train()(**batch)
    model.eval().save_pretrained(tmp_path)
    loaded = BertForMaskedLM.from_pretrained(tmp_path)
    assert type(loaded.cls.predictions.decoder) is QuantLinear
    assert torch.equal(loaded(**batch).logits, model(**batch).logits)


def test_second_round_trip_is_like_the_first(trained: PreTrainedModel, batch: Batch, tmp_path: Path) -> None:
    trained.save_pretrained(tmp_path / "first")
    first = BertForSequenceClassification.from_pretrained(tmp_path / "first")
    first.save_pretrained(tmp_path / "second")
    second = BertForSequenceClassification.from_pretrained(tmp_path / "second")
    assert torch.equal(second(**batch).logits, trained(**batch).logits)
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("first", "second")]
    assert configs[0] == configs[1]


def test_float_checkpoint_with_a_config_starts_from_fresh_ranges(
    make_bert: MakeBert, batch: Batch, tmp_path: Path
) -> None:
    make_bert().save_pretrained(tmp_path)
    loaded = BertForSequenceClassification.from_pretrained(tmp_path, quantization_config=SparsePipelinesConfig())
    query = loaded.bert.encoder.layer[0].attention.self.query
    assert query.weight_fake_quant.scale.item() == (query.weight.abs().max() / 63).item()
    assert not query.input_fake_quant.is_observed
    assert not loaded.bert.encoder.layer[0].attention.self.attention_fake_quant.probs.is_observed
    loaded.train()(**batch).logits.sum().backward()
    assert all(fake_quant.is_consistent and fake_quant.is_observed for fake_quant in fake_quantizers(loaded))


def test_new_head_starts_from_fresh_ranges_and_the_encoder_keeps_its_own(
    make_bert: MakeBert, batch: Batch, tmp_path: Path
) -> None:
    source = make_bert(BertForQuestionAnswering)
    apply_quantization(source, QuantizationSettings())
    source.train()(**batch)
    source.save_pretrained(tmp_path)
    loaded = BertForTokenClassification.from_pretrained(tmp_path, num_labels=7)
    kept = [model.bert.encoder.layer[1].output.dense.input_fake_quant.scale.item() for model in (source, loaded)]
    assert kept[0] == kept[1]
    classifier = loaded.classifier
    assert classifier.weight_fake_quant.scale.item() == (classifier.weight.abs().max() / 63).item()
    assert not classifier.input_fake_quant.is_observed


def test_half_precision_is_not_offered(trained: PreTrainedModel, tmp_path: Path, make_bert: MakeBert) -> None:
    trained.save_pretrained(tmp_path)
    loaded = BertForSequenceClassification.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32, torch.int32}
    with refused(ModelError, "dtype"):
        apply_quantization(make_bert().to(torch.bfloat16), QuantizationSettings())


def test_trainer_accepts_the_model(trained: PreTrainedModel, tmp_path: Path) -> None:
    validate_quantization_for_training(trained)
    trained.save_pretrained(tmp_path)
    validate_quantization_for_training(BertForSequenceClassification.from_pretrained(tmp_path))


def test_quantizing_twice_is_refused(trained: PreTrainedModel) -> None:
    with refused(ModelError, "model"):
        apply_quantization(trained, QuantizationSettings())


def test_a_float_model_with_the_same_config_is_not_taken_for_quantized(trained: PreTrainedModel) -> None:
    assert quantization_of(BertForSequenceClassification(copy.deepcopy(trained.config))) is None


def test_unknown_key_and_phase_in_config_json_are_refused() -> None:
    with refused(ModelError, "quantization_config.weight_bit"):
        SparsePipelinesConfig(weight_bit=8)
    with refused(ModelError, "quantization_config.phase"):
        SparsePipelinesConfig(phase="warm")  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("quantize_attention", [True, False])
def test_without_this_package_loading_fails_and_names_the_module_to_import(
    make_bert: MakeBert, tmp_path: Path, quantize_attention: bool
) -> None:
    model = make_bert()
    apply_quantization(model, QuantizationSettings(quantize_attention=quantize_attention))
    model.save_pretrained(tmp_path)
    code = f"from transformers import BertForSequenceClassification as B; B.from_pretrained({str(tmp_path)!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode != 0
    assert "Unknown quantization type, got sparse-pipelines" in result.stderr
    last_line = result.stderr.strip().splitlines()[-1]
    assert 'attn_implementation="sparse_core.modifiers.quantization.hf_quantizer"` is not supported' in last_line
