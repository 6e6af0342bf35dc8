"""Weights are refused unless all of their files are there and whole."""

from __future__ import annotations

import json
import struct

import pytest

from sparse_core.artifacts.weights import are_pickled, find_weights
from sparse_core.errors import ModelError

SHARD = "pytorch_model-00001-of-00001.bin"


def safetensors(name="w", num_bytes=8):
    header = json.dumps({name: {"dtype": "F32", "shape": [num_bytes // 4], "data_offsets": [0, num_bytes]}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(num_bytes)


WHOLE = safetensors()


def write_index(directory, shards):
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def refusal(directory):
    with pytest.raises(ModelError) as caught:
        find_weights(directory)
    assert caught.value.setting == "model"
    return caught.value


def test_safetensors_come_before_a_pickle_beside_them(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(WHOLE)
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    assert find_weights(tmp_path) == ["model.safetensors"]
    assert not are_pickled(find_weights(tmp_path))


def test_shards_are_listed_with_their_index(tmp_path):
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for name in names:
        (tmp_path / name).write_bytes(WHOLE)
    write_index(tmp_path, {"a": names[1], "b": names[0], "c": names[1]})
    assert find_weights(tmp_path) == ["model.safetensors.index.json", *names]


@pytest.mark.parametrize(
    "content",
    [
        WHOLE[:-1],
        WHOLE + b"x",
        WHOLE[:40],
        b"",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 1 << 60) + b"{}",
        b"version https://git-lfs.github.com/spec/v1\n",
    ],
)
def test_weights_that_are_not_whole_are_refused(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    assert "model.safetensors" in refusal(tmp_path).problem
    (tmp_path / "model.safetensors").rename(tmp_path / "model-1.safetensors")
    write_index(tmp_path, {"a": "model-1.safetensors"})
    assert "model-1.safetensors" in refusal(tmp_path).problem


@pytest.mark.parametrize(
    ("index", "name"),
    [
        ('{"weight_map": {"a": "model-2.safetensors"}}', "model-2.safetensors"),
        ('{"weight_map": {"a": "../x.safetensors"}}', "../x.safetensors"),
        ('{"weight_map": {}}', "weight_map"),
        ("{", "index.json"),
        ("[]", "index.json"),
    ],
)
def test_an_index_must_list_files_of_the_same_folder(tmp_path, index, name):
    (tmp_path / "model.safetensors.index.json").write_text(index)
    (tmp_path.parent / "x.safetensors").write_bytes(WHOLE)
    assert name in refusal(tmp_path).problem


def test_pickles_are_a_last_resort(tmp_path):
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a": SHARD}}))
    assert SHARD in refusal(tmp_path).problem
    (tmp_path / SHARD).write_bytes(b"pickle")
    assert find_weights(tmp_path) == [index.name, SHARD]
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    assert find_weights(tmp_path) == ["pytorch_model.bin"]
    assert are_pickled(find_weights(tmp_path))


def test_a_git_lfs_pointer_is_no_pickle(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    assert "git lfs pull" in refusal(tmp_path).fix


@pytest.mark.parametrize("name", ["tf_model.h5", "model.pt", "model.pth", "pytorch_model-00001-of-00002.bin"])
def test_weights_of_another_kind_are_refused_and_pickles_among_them_named(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    error = refusal(tmp_path)
    assert (name in error.problem) is (name != "tf_model.h5")
    assert "save_pretrained" in error.fix


def test_quantized_checkpoints_of_sparseml_are_refused(tmp_path):
    key = "bert.encoder.layer.0.output.dense.module.weight_fake_quant.activation_post_process.min_val"
    (tmp_path / "model.safetensors").write_bytes(safetensors(key, 4))
    assert key in refusal(tmp_path).problem
