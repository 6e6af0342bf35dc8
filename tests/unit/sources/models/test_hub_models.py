"""A model from the hub: what is asked for, what is found in the cache, and why it cannot be had."""

from __future__ import annotations

import json
import sys

import pytest

from sparse_core.errors import DependencyError, ModelError, renamed_settings
from sparse_core.sources.models.find import find_model

MODEL_FILES = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
TOKEN = "hf_a_secret_that_nobody_may_read"


def files_of(directory):
    return sorted(file.relative_to(directory).as_posix() for file in directory.rglob("*") if file.is_file())


def test_a_download_takes_only_what_a_model_needs(hub):
    directory = find_model("mine/model")
    assert files_of(directory) == MODEL_FILES
    assert (directory / "config.json").read_text() == '{"model_type": "bert"}'
    assert not any("pytorch_model" in request or "onnx" in request for request in hub)


def test_pickled_weights_come_where_there_are_no_others(hub, model_dir):
    (model_dir / "model.safetensors").unlink()
    (model_dir / "tf_model.h5").write_text("")
    assert files_of(find_model("mine/model")) == [
        "config.json",
        "pytorch_model.bin",
        "tokenizer.json",
        "tokenizer_config.json",
    ]


def test_pickled_shards_come_with_their_index(hub, model_dir):
    (model_dir / "model.safetensors").unlink()
    (model_dir / "pytorch_model.bin").rename(model_dir / "pytorch_model-00001-of-00001.bin")
    index = {"weight_map": {"w": "pytorch_model-00001-of-00001.bin"}}
    (model_dir / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    files = files_of(find_model("mine/model"))
    assert {"pytorch_model-00001-of-00001.bin", "pytorch_model.bin.index.json"} <= set(files)


def test_a_config_alone_is_enough_where_no_weights_are_asked_for(hub):
    assert files_of(find_model("mine/model", config_only=True)) == ["config.json"]


def test_the_cache_may_be_elsewhere(hub, tmp_path):
    directory = find_model("mine/model", cache_dir=str(tmp_path / "elsewhere"))
    assert directory.is_relative_to(tmp_path / "elsewhere")
    assert not (tmp_path / "hub").exists()


def test_what_was_downloaded_serves_offline(hub, monkeypatch):
    from huggingface_hub import constants

    first = find_model("mine/model")
    num_requests = len(hub)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_model("mine/model") == first
    assert len(hub) == num_requests


def test_pickled_weights_that_were_downloaded_serve_offline(hub, model_dir, monkeypatch):
    from huggingface_hub import constants

    (model_dir / "model.safetensors").unlink()
    first = find_model("mine/model")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_model("mine/model") == first


@pytest.mark.parametrize("cached_tree", [True, False])
def test_half_a_model_in_the_cache_is_no_model(hub, tmp_path, monkeypatch, cached_tree):
    from huggingface_hub import constants

    directory = find_model("mine/model", config_only=True)
    if not cached_tree:
        for listing in (tmp_path / "hub").rglob("trees/*.json"):
            listing.unlink()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set") as caught:
        find_model("mine/model")
    assert caught.value.setting == "model"
    assert find_model("mine/model", config_only=True) == directory


@pytest.mark.parametrize("missing", ["config.json", "model.safetensors", "tokenizer.json"])
def test_what_the_hub_does_not_have_is_named(hub, model_dir, missing):
    (model_dir / missing).unlink()
    (model_dir / "pytorch_model.bin").unlink()
    with pytest.raises(ModelError, match=f"it has none of {missing}") as caught:
        find_model("mine/model")
    assert caught.value.setting == "model"


@pytest.mark.parametrize(
    ("model", "revision", "reason"),
    [
        ("mine/none", "", "there is no such model, or it is private"),
        ("mine/model", "v2", "no such revision"),
        ("gated/model", "", "only some accounts may read it"),
        ("a--b/model", "", "Cannot have -- or .. in repo_id"),
    ],
)
def test_what_the_hub_refuses_is_explained(hub, model, revision, reason):
    with pytest.raises(ModelError) as caught:
        find_model(model, revision)
    assert caught.value.setting == "model"
    assert all(part in caught.value.problem for part in (model, revision or "main", reason))


def test_a_hub_that_does_not_answer_is_named_with_a_way_to_work_offline(no_hub):
    with pytest.raises(ModelError) as caught, renamed_settings({"model": "distill_teacher"}):
        find_model("mine/model", "v2")
    assert caught.value.setting == "distill_teacher"
    assert caught.value.render(lambda name: f"--{name}") == (
        "--distill_teacher: 'mine/model' is no folder on this machine, and its config.json, weights and tokenizer "
        "(revision 'v2') cannot be fetched from the hub: the local cache does not have all of it, and "
        "http://127.0.0.1:9 does not answer; to work offline, give --distill_teacher the path of a folder with the "
        "model; where there is a network, `hf download mine/model --local-dir FOLDER` makes one"
    )


def test_offline_mode_is_named(offline):
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE is set"):
        find_model("mine/model")


def test_a_token_is_sent_and_never_shown(hub, monkeypatch, caplog):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with caplog.at_level("DEBUG"):
        find_model("mine/model", use_auth_token=True)
        for model in ("mine/none", "gated/model"):
            with pytest.raises(ModelError) as raised:
                find_model(model)
            assert TOKEN not in str(raised.value)
    assert hub.tokens == {TOKEN}
    assert TOKEN not in caplog.text


def test_a_token_that_cannot_be_sent_is_not_shown(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}é")
    with pytest.raises(ModelError, match="the token has characters that no token has; copy it to HF_TOKEN") as raised:
        find_model("mine/model")
    assert TOKEN not in str(raised.value)


def test_a_password_in_the_endpoint_is_not_shown(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", "http://me:password@127.0.0.1:9")
    with pytest.raises(ModelError, match=r" http://127\.0\.0\.1:9 does not answer"):
        find_model("mine/model", cache_dir=str(tmp_path))


def test_a_token_that_must_be_there(hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(ModelError) as caught:
        find_model("mine/model", use_auth_token=True)
    assert caught.value.setting == "use_auth_token"
    assert find_model("mine/model").is_dir()


def test_without_huggingface_hub_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DependencyError) as caught:
        find_model("mine/model")
    assert (caught.value.setting, caught.value.fix) == ("model", "pip install sparse-pipelines[train]")
