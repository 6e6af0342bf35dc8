"""Models come from a directory, the hub or a stub, whole and without what is not theirs."""

from __future__ import annotations

import json
import os
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sparse_core.artifacts.model import Model
from sparse_core.errors import ModelError, OutputError, SparseCoreError
from sparse_core.sources.models.find import copy_model, find_model, is_local
from sparse_core.sources.zoo import stubs as zoo

STUB = "zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/base-none"


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("./model", True),
        ("../model", True),
        ("/models/bert", True),
        ("~/bert", True),
        ("my/models/bert", True),
        ("model/", True),
        ("a b", True),
        ("zoo:nlp/bert", False),
        ("s3://models/bert", False),
        ("bert", False),
        ("google-bert/bert-base-uncased", False),
        ("someone/model.v1_2", False),
    ],
)
def test_what_can_be_no_hub_id_is_a_directory(model, expected):
    assert is_local(model) is expected


def test_an_existing_directory_comes_before_a_hub_id(tmp_path, monkeypatch):
    (tmp_path / "google-bert" / "bert").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert is_local("google-bert/bert")
    assert find_model("google-bert/bert") == Path("google-bert/bert")


def test_the_home_directory_is_known(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "bert").mkdir()
    assert find_model("~/bert") == tmp_path / "bert"


@pytest.mark.parametrize(
    ("model", "revision", "setting"),
    [
        ("", "", "model"),
        ("./none", "", "model"),
        ("my/models/bert", "", "model"),
        ("~nobody/bert", "", "model"),
        ("zoo:nlp/bert", "", "model"),
        (".", "main", "revision"),
    ],
)
def test_names_of_no_model_are_refused(model, revision, setting):
    with pytest.raises(ModelError) as caught:
        find_model(model, revision)
    assert caught.value.setting == setting
    assert model in str(caught.value)


def test_object_storage_is_refused():
    with pytest.raises(SparseCoreError) as caught:
        find_model("s3://models/bert")
    assert caught.value.setting == "model"


def test_only_what_a_model_needs_is_copied(model_dir, tmp_path):
    (model_dir / "metrics.json").write_text("{}")
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_model(model_dir, copy)
    assert sorted(file.name for file in copy.iterdir()) == [
        "config.json",
        "metrics.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert (copy / "model.safetensors").read_bytes() == (model_dir / "model.safetensors").read_bytes()


def test_a_copy_is_no_link(model_dir, tmp_path):
    weights = model_dir / "model.safetensors"
    target = weights.rename(tmp_path / "blob")
    weights.symlink_to(target)
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_model(model_dir, copy)
    assert not (copy / "model.safetensors").is_symlink()
    assert os.stat(copy / "model.safetensors").st_nlink == 1


def test_no_room_is_found_before_anything_is_written(model_dir, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 0))
    copy = tmp_path / "copy"
    copy.mkdir()
    with pytest.raises(OutputError) as caught:
        copy_model(model_dir, copy)
    assert caught.value.setting == "output"
    assert list(copy.iterdir()) == []


def test_pickled_weights_arrive_as_safetensors(model_dir, tmp_path):
    weight = torch.arange(4.0)
    (model_dir / "model.safetensors").unlink()
    torch.save({"w": weight}, model_dir / "pytorch_model.bin")
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_model(model_dir, copy)
    assert sorted(file.name for file in copy.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert torch.equal(load_file(copy / "model.safetensors")["w"], weight)
    assert Model(copy).weight_files() == ["model.safetensors"]


def test_pickled_shards_arrive_as_one_file(model_dir, tmp_path):
    (model_dir / "model.safetensors").unlink()
    (model_dir / "pytorch_model.bin").unlink()
    shards = {"a": "pytorch_model-00001-of-00002.bin", "b": "pytorch_model-00002-of-00002.bin"}
    for name, shard in shards.items():
        torch.save({name: torch.ones(2)}, model_dir / shard)
    (model_dir / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": shards}))
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_model(model_dir, copy)
    assert sorted(load_file(copy / "model.safetensors")) == ["a", "b"]
    assert not list(copy.glob("*.bin*"))


def test_safetensors_come_before_a_pickle_beside_them(model_dir, tmp_path):
    (model_dir / "pytorch_model.bin").write_bytes(b"not even a pickle")
    copy = tmp_path / "copy"
    copy.mkdir()
    copy_model(model_dir, copy)
    assert (copy / "model.safetensors").read_bytes() == (model_dir / "model.safetensors").read_bytes()


def test_a_stub_is_fetched_from_the_hub(hub, monkeypatch, caplog):
    monkeypatch.delenv(zoo.MIRROR_VARIABLE, raising=False)
    monkeypatch.setitem(zoo.MODELS, STUB.removeprefix("zoo:"), "mine/model")
    with caplog.at_level("INFO"):
        directory = find_model(STUB)
    assert (directory / "config.json").read_text() == '{"model_type": "bert"}'
    assert f"{STUB} stands for the hub's model mine/model" in caplog.messages


def test_a_stub_whose_model_cannot_be_downloaded_is_named_with_its_model(no_hub, monkeypatch):
    monkeypatch.delenv(zoo.MIRROR_VARIABLE, raising=False)
    with pytest.raises(ModelError) as caught:
        find_model(STUB)
    assert caught.value.setting == "model"
    assert caught.value.problem.startswith(f"'{STUB}' stands for 'neuralmagic/oBERT-12-upstream-pretrained-dense'")


def test_a_stub_in_the_mirror_is_a_folder(model_dir, tmp_path, monkeypatch):
    place = tmp_path / "mirror" / STUB.removeprefix("zoo:")
    place.mkdir(parents=True)
    model_dir.rename(place / "training")
    monkeypatch.setenv(zoo.MIRROR_VARIABLE, str(tmp_path / "mirror"))
    assert find_model(STUB) == place / "training"
    with pytest.raises(ModelError) as caught:
        find_model(STUB, "v2")
    assert caught.value.setting == "revision"
