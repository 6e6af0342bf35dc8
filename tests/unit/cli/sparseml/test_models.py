from __future__ import annotations

import json
import logging
import shutil

import pytest
import torch
import transformers
from safetensors.torch import load_file

from sparse_core.cli.sparseml.models import student_directory
from sparse_core.cli.sparseml.parser import parse
from sparse_core.errors import ConfigError, ModelError


@pytest.fixture
def student(tmp_path):
    def make(task="text_classification", **flags):
        words = [f"--{name}={value}" for name, value in {"output_dir": "o", **flags}.items()]
        scratch = tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        return student_directory(parse(task, words), scratch)

    return make


def test_a_directory_is_used_where_it_is(student, model):
    assert student(model_name_or_path=model) == model


def test_pickled_weights_are_converted(student, model, tmp_path):
    pickled = tmp_path / "pickled"
    shutil.copytree(model, pickled)
    state = load_file(pickled / "model.safetensors")
    (pickled / "model.safetensors").unlink()
    torch.save(state, pickled / "pytorch_model.bin")
    directory = student(model_name_or_path=pickled)
    converted = load_file(directory / "model.safetensors")
    assert all(torch.equal(converted[name], value) for name, value in state.items() if name in converted)
    assert len(converted) > 5 and not list(directory.glob("*.bin"))


def test_a_configuration_and_a_tokenizer_of_elsewhere(student, model, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.5}))
    (other / "vocab.txt").unlink()
    together = student(model_name_or_path=model, config_name=other, tokenizer_name=other)
    assert json.loads((together / "config.json").read_text())["hidden_dropout_prob"] == 0.5
    assert not (together / "vocab.txt").exists() and (together / "tokenizer.json").exists()
    assert load_file(together / "model.safetensors").keys() == load_file(model / "model.safetensors").keys()
    assert json.loads((model / "config.json").read_text()).get("hidden_dropout_prob") != 0.5


@pytest.mark.parametrize("task", ["text_classification", "token_classification", "masked_language_modeling"])
def test_a_tokenizer_with_more_tokens_than_the_model_has_embeddings(task, student, model, tmp_path):
    larger = transformers.AutoTokenizer.from_pretrained(model)
    larger.add_tokens(["new", "newer"])
    larger.save_pretrained(tmp_path / "larger")
    with pytest.raises(ModelError) as caught:
        student(task, model_name_or_path=model, tokenizer_name=tmp_path / "larger")
    assert caught.value.setting == "tokenizer_name"


@pytest.mark.parametrize(
    ("files", "setting"),
    [({}, "tokenizer_name"), ({"tokenizer.json": "{"}, "tokenizer_name")],
)
def test_a_tokenizer_that_is_none_names_its_flag(files, setting, student, model, tmp_path):
    (tmp_path / "other").mkdir()
    for name, text in files.items():
        (tmp_path / "other" / name).write_text(text)
    with pytest.raises(ModelError) as caught:
        student(model_name_or_path=model, tokenizer_name=tmp_path / "other")
    assert caught.value.setting == setting


def test_a_model_from_scratch(student, model, caplog):
    caplog.set_level(logging.INFO, "sparse_core")
    flags = {"model_type": "distilbert", "tokenizer_name": model, "config_overrides": "dim=16,n_layers=1,n_heads=2"}
    directory = student("masked_language_modeling", **flags, seed=3)
    made = transformers.AutoModelForMaskedLM.from_pretrained(directory, local_files_only=True)
    assert (made.config.model_type, made.config.dim, made.config.n_layers) == ("distilbert", 16, 1)
    assert made.config.vocab_size == 28 == made.get_input_embeddings().weight.shape[0]
    assert "a new distilbert of" in caplog.text
    shutil.rmtree(directory)
    again = load_file(student("masked_language_modeling", **flags, seed=3) / "model.safetensors")
    assert all(torch.equal(again[name], value) for name, value in made.state_dict().items() if name in again)


def test_a_model_from_scratch_by_a_configuration(student, model):
    directory = student("masked_language_modeling", config_name=model, tokenizer_name=model)
    assert json.loads((directory / "config.json").read_text())["num_hidden_layers"] == 1
    assert not torch.equal(
        load_file(directory / "model.safetensors")["bert.embeddings.word_embeddings.weight"],
        load_file(model / "model.safetensors")["bert.embeddings.word_embeddings.weight"],
    )


@pytest.mark.parametrize(
    ("flags", "setting"),
    [
        ({"model_type": "bert"}, "tokenizer_name"),
        ({"model_type": "bret", "tokenizer_name": "M"}, "model_type"),
        (
            {"model_type": "bert", "tokenizer_name": "M", "config_overrides": "hiden_size=3"},
            "config_overrides",
        ),
        ({"model_name_or_path": "M", "config_overrides": "a=1"}, "config_overrides"),
        (
            {"model_type": "bert", "tokenizer_name": "M", "config_overrides": "hidden_size=30,num_attention_heads=4"},
            "config_overrides",
        ),
        (
            {"config_name": "M", "tokenizer_name": "M", "config_overrides": "a=1"},
            "config_overrides",
        ),
        ({}, "model_name_or_path"),
    ],
)
def test_mistakes(flags, setting, student, model):
    flags = {name: model if value == "M" else value for name, value in flags.items()}
    with pytest.raises(ConfigError) as caught:
        student("masked_language_modeling", **flags)
    assert caught.value.setting == setting


@pytest.mark.parametrize("flag", ["model_name_or_path", "config_name", "tokenizer_name"])
def test_a_source_that_is_not_there_is_named_by_its_flag(flag, student, model):
    with pytest.raises(ModelError) as caught:
        student(**{"model_name_or_path": model, flag: "./nowhere"})
    assert caught.value.setting == f"--{flag}"


def test_a_type_beside_a_model_is_passed_over(student, model, caplog):
    assert student("masked_language_modeling", model_type="bert", model_name_or_path=model) == model
    assert "--model_type has no effect" in caplog.text


def test_a_task_without_pretraining_has_no_model_from_scratch(student, model):
    with pytest.raises(ConfigError) as caught:
        student(model_type="bert")
    assert caught.value.setting == "--model_type"
