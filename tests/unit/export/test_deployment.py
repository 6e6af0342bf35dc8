from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from sparse_core.artifacts.deployment import Deployment
from sparse_core.errors import ArtifactError
from sparse_core.export.deployment import complete_deployment
from sparse_core.tasks import get_task
from tests.refusals import refused

MakeModel = Callable[..., PreTrainedModel]


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "good": 2, "bad": 3}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]")


@pytest.fixture
def deployment(make_quantized: MakeModel, tokenizer: PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    model = make_quantized()
    tokenizer(["good"], max_length=3, padding="max_length", truncation=True)
    model.config.id2label = {0: "negative", 1: "positive"}
    directory = tmp_path / "deployment"
    directory.mkdir()
    (directory / "model.onnx").write_bytes(b"graph")
    (tmp_path / "recipe.yaml").write_text("modifiers: []\n", encoding="utf-8")
    labels = ["negative", "positive"]
    task = get_task("text_classification", {"threshold": 0.7})
    record = {"max_seq_length": 48, "opset": 14, "weight_type": "int8"}
    complete_deployment(Deployment(directory), model, tokenizer, task, tmp_path, labels, **record)
    return directory


def test_it_has_all_that_an_application_needs(deployment: Path) -> None:
    names = {path.name for path in deployment.iterdir()}
    expected = {"model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json", "labels.json", "recipe.yaml"}
    assert expected | {"manifest.json"} <= names
    assert json.loads((deployment / "labels.json").read_text()) == ["negative", "positive"]
    assert (deployment / "recipe.yaml").read_text() == "modifiers: []\n"
    assert AutoTokenizer.from_pretrained(deployment)("good bad").input_ids == [2, 3]


def test_manifest_has_hashes_versions_and_facts(deployment: Path) -> None:
    manifest = json.loads((deployment / "manifest.json").read_text())
    entry = manifest["files"]["model.onnx"]
    assert (entry["sha256"], entry["size_bytes"]) == (hashlib.sha256(b"graph").hexdigest(), 5)
    assert set(manifest["files"]) == {path.name for path in deployment.iterdir()} - {"manifest.json"}
    assert set(manifest["versions"]) == {"torch", "transformers", "onnx", "onnxruntime"}
    assert (manifest["opset"], manifest["weight_type"]) == (14, "int8")
    assert (manifest["task"], manifest["max_seq_length"]) == ("text_classification", 48)
    assert (manifest["task_args"]["threshold"], manifest["task_args"]["metrics"]) == (0.7, [])


def test_the_tokenizer_has_no_length_to_cut_or_pad_at(deployment: Path) -> None:
    backend = json.loads((deployment / "tokenizer.json").read_text())
    assert (backend["truncation"], backend["padding"]) == (None, None)


def test_config_says_nothing_of_torch_weights_that_are_not_there(deployment: Path) -> None:
    config = AutoConfig.from_pretrained(deployment).to_dict()
    assert "quantization_config" not in config
    assert "attn_implementation" not in config
    assert config["id2label"] == {0: "negative", 1: "positive"}


def test_the_model_keeps_its_config_and_no_labels_are_made_up(
    make_quantized: MakeModel, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    model = make_quantized()
    complete_deployment(Deployment(tmp_path), model, tokenizer, get_task("text_classification"), tmp_path / "model", [])
    assert model.config.quantization_config is model.hf_quantizer.quantization_config
    assert not (tmp_path / "recipe.yaml").exists()
    assert not (tmp_path / "labels.json").exists()


def test_it_is_read_as_it_was_written(deployment: Path) -> None:
    read = Deployment(deployment)
    assert read.labels() == ["negative", "positive"]
    assert read.record().max_seq_length == 48
    assert read.verification() == {}
    read.write_verification({"num_rows": 3})
    assert read.verification() == {"num_rows": 3}
    assert read.foreign_file() == "verification.json", "written after the record, so no export wrote it"


def test_a_damaged_file_is_named(deployment: Path) -> None:
    (deployment / "labels.json").write_text("[")
    with refused(ArtifactError, "deployment"):
        Deployment(deployment).labels()


def test_what_no_export_has_written_is_no_deployment(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    assert Deployment(tmp_path).record() is None
    assert Deployment(tmp_path).foreign_file() == "mine.txt"
