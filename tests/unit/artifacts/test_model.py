"""A model folder is refused for what it lacks, by the name of what it lacks."""

from __future__ import annotations

import pytest

from sparse_core.artifacts.model import Model, is_model_file, is_weight_file
from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ArtifactError, ModelError


def test_the_config_is_returned(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 8}')
    assert Model(tmp_path).config() == {"model_type": "bert", "hidden_size": 8}


@pytest.mark.parametrize("content", [None, "{", "[1]", "{}", '{"model_type": 1}'])
def test_a_config_must_name_an_architecture(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError) as caught:
        Model(tmp_path).config()
    assert caught.value.setting == "model"
    assert "config.json" in caught.value.problem


def test_code_of_a_model_is_never_run(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "x", "auto_map": {"AutoModel": "modeling_x.X"}}')
    with pytest.raises(ModelError, match="never run"):
        Model(tmp_path).config()


@pytest.mark.parametrize("name", ["missing", "file"])
def test_a_model_is_a_folder(tmp_path, name):
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError) as caught:
        Model(tmp_path / name).config()
    assert caught.value.setting == "model"


def test_pickles_are_returned_only_to_callers_that_convert_them(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    model = Model(tmp_path)
    assert model.has_pickled_weights()
    assert model.weight_files(allow_pickles=True) == ["pytorch_model.bin"]
    with pytest.raises(ModelError) as caught:
        model.weight_files()
    assert f"fetch_model --model {tmp_path}" in caught.value.fix


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.txt", "vocab.json", "spiece.model"])
def test_a_tokenizer_needs_one_vocabulary(tmp_path, name):
    for file in ("tokenizer_config.json", "README.md"):
        (tmp_path / file).write_text("{}")
    with pytest.raises(ModelError) as caught:
        Model(tmp_path).tokenizer_files()
    assert caught.value.setting == "model"
    (tmp_path / name).write_text("{}")
    assert Model(tmp_path).tokenizer_files() == [name, "tokenizer_config.json"]


def test_what_a_training_adds_is_read_back(tmp_path):
    model = Model(tmp_path)
    assert (model.metrics(), model.log_history(), model.training_files()) == ({}, [], [])
    model.recipe_path.write_text("modifiers: []\n")
    model.write_metrics({"eval_accuracy": 0.5, "eval_loss": None})
    RunRecord(step="prune", log_history=[{"loss": 1.0}]).write(tmp_path)
    assert model.metrics() == {"eval_accuracy": 0.5, "eval_loss": None}
    assert model.log_history() == [{"loss": 1.0}]
    assert model.training_files() == ["recipe.yaml", "metrics.json"]


@pytest.mark.parametrize("content", ["{", "3"])
def test_damaged_metrics_are_refused(tmp_path, content):
    (tmp_path / "metrics.json").write_text(content)
    with pytest.raises(ArtifactError) as caught:
        Model(tmp_path).metrics()
    assert caught.value.setting == "model"


def test_files_of_a_model_are_known_by_name():
    weights = ["model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json"]
    assert all(is_weight_file(name) and is_model_file(name) for name in weights)
    assert all(is_model_file(name) for name in ("config.json", "recipe.yaml", "vocab.txt", "tokenizer_config.json"))
    assert not any(is_model_file(name) for name in ("README.md", "optimizer.pt", "checkpoint-3", "mymodel.safetensors"))
