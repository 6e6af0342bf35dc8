"""Models come from a directory or the hub, whole and without what is not theirs."""

from __future__ import annotations

import os
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from sparse_core import artifacts
from sparse_core.errors import DependencyError, ModelError, OutputError
from sparse_core.sources.models import copy_model, find_model, is_local


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
        ("zoo:nlp/bert", True),
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
    ("model", "revision", "message"),
    [
        ("", "", "^model: nothing is given; expected a directory or a hub id$"),
        ("./none", "", r"^model: the directory \./none does not exist; expected a directory, or a hub id such as"),
        ("my/models/bert", "", "the directory my/models/bert does not exist"),
        ("~nobody/bert", "", "the directory ~nobody/bert does not exist"),
        ("zoo:nlp/bert", "", "'zoo:nlp/bert' is a SparseZoo stub and SparseZoo is closed; give a directory"),
        (".", "main", r"^revision: 'main' is given, but the model \. is a directory; leave it empty$"),
    ],
)
def test_names_of_no_model(model, revision, message):
    with pytest.raises(ModelError, match=message):
        find_model(model, revision)


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
    monkeypatch.setattr(artifacts.shutil, "disk_usage", lambda _: usage(10, 10, 0))
    copy = tmp_path / "copy"
    copy.mkdir()
    with pytest.raises(OutputError, match="GB free, but a copy of .*model needs"):
        copy_model(model_dir, copy)
    assert list(copy.iterdir()) == []


def test_a_download_takes_only_what_a_model_needs(hub):
    directory = find_model("mine/model")
    assert sorted(file.relative_to(directory).as_posix() for file in directory.rglob("*") if file.is_file()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert (directory / "config.json").read_text() == '{"model_type": "bert"}'
    assert not any("pytorch_model" in request or "onnx" in request for request in hub)


def test_what_was_downloaded_serves_offline(hub, monkeypatch):
    from huggingface_hub import constants

    first = find_model("mine/model")
    num_requests = len(hub)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_model("mine/model") == first
    assert len(hub) == num_requests


@pytest.mark.parametrize(
    ("model", "revision", "message"),
    [
        ("mine/none", "", "^model: 'mine/none' is no directory here, and .*: there is no such model, or it is private"),
        ("mine/model", "v2", "at the revision 'v2' cannot be fetched from the hub: the model has no such revision"),
        ("gated/model", "", "its owner lets only some accounts read it; set HF_TOKEN"),
        ("a--b/model", "", "'a--b/model' is no directory here, and cannot be fetched from the hub: .*; to work off"),
    ],
)
def test_what_the_hub_refuses(hub, model, revision, message):
    with pytest.raises(ModelError, match=message):
        find_model(model, revision)


def test_a_hub_that_does_not_answer(no_hub):
    message = (
        "^model: 'mine/model' is no directory here, and cannot be fetched from the hub: it is not in the local cache "
        "and http://127.0.0.1:9 does not answer; to work offline, give `model` the path of a directory that holds the "
        "model$"
    )
    with pytest.raises(ModelError, match=message):
        find_model("mine/model")


def test_offline_mode(offline):
    with pytest.raises(ModelError, match="it is not in the local cache and HF_HUB_OFFLINE is set; to work offline"):
        find_model("mine/model")


def test_without_huggingface_hub_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DependencyError, match=r"'mine/model' is a hub id, which needs huggingface_hub; .*\[train\]"):
        find_model("mine/model")
