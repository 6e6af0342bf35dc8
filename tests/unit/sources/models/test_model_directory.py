"""A model directory is refused for what it lacks, by the name of what it lacks."""

from __future__ import annotations

import json
import struct

import pytest

from sparse_core.errors import ModelError
from sparse_core.sources.models.model_directory import (
    are_pickled,
    find_weights,
    require_config,
    require_tokenizer,
    require_weights,
)


@pytest.fixture
def whole(model_dir):
    """Bytes of a safetensors file."""
    return (model_dir / "model.safetensors").read_bytes()


def write_index(directory, shards):
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))


def test_a_config_is_returned(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert", "hidden_size": 8}')
    assert require_config(tmp_path) == {"model_type": "bert", "hidden_size": 8}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"^model: .* has no config\.json; expected a directory made by save_pretrained$"),
        ("{", r"config\.json is not JSON \(Expecting property name"),
        ("[1]", r"config\.json holds a JSON list; expected an object"),
        ("{}", r"config\.json has no 'model_type'; expected the name of an architecture, such as \"bert\""),
        ('{"model_type": "x", "auto_map": {}}', "has 'auto_map', so the model needs Python code of its own, which"),
    ],
)
def test_configs_that_cannot_be_used(tmp_path, content, message):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=message):
        require_config(tmp_path)


def test_what_is_no_directory(tmp_path):
    with pytest.raises(ModelError, match="none does not exist; name a Hugging Face directory"):
        require_config(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="file is a file, not a directory"):
        require_config(tmp_path / "file")


def test_one_file_of_weights(tmp_path, whole):
    (tmp_path / "model.safetensors").write_bytes(whole)
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    assert require_weights(tmp_path) == ["model.safetensors"]


def test_weights_in_shards(tmp_path, whole):
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for name in names:
        (tmp_path / name).write_bytes(whole)
    write_index(tmp_path, {"a": names[1], "b": names[0], "c": names[1]})
    assert require_weights(tmp_path) == ["model.safetensors.index.json", *names]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda whole: whole[:-1], "has 1.. bytes, but its header describes 1..; copy it again"),
        (lambda whole: whole + b"x", "but its header describes"),
        (lambda whole: whole[:40], "is not a safetensors file, or is cut short; copy it again"),
        (lambda _: b"", "is not a safetensors file, or is cut short"),
        (lambda _: struct.pack("<Q", 2) + b"[]", "is not a safetensors file"),
        (lambda _: struct.pack("<Q", 1 << 60) + b"{}", "is not a safetensors file"),
        (lambda _: b"version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer, not the weights; run `git"),
    ],
)
def test_weights_that_are_not_whole(tmp_path, whole, damage, message):
    (tmp_path / "model.safetensors").write_bytes(damage(whole))
    with pytest.raises(ModelError, match=rf"^model: .*model\.safetensors .*{message}"):
        require_weights(tmp_path)


def test_a_cut_shard_is_found(tmp_path, whole):
    (tmp_path / "model-1.safetensors").write_bytes(whole[:-4])
    write_index(tmp_path, {"a": "model-1.safetensors"})
    with pytest.raises(ModelError, match="model-1.safetensors has .* bytes, but"):
        require_weights(tmp_path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ('{"weight_map": {"a": "model-2.safetensors"}}', "has no model-2.safetensors, which .*index.json names; copy"),
        ('{"weight_map": {"a": "../x.safetensors"}}', r"names the shard '\.\./x\.safetensors'; expected a file name"),
        ('{"weight_map": {}}', "has no 'weight_map'; expected the index that save_pretrained writes"),
        ("{", "index.json is not JSON"),
    ],
)
def test_an_index_that_does_not_fit(tmp_path, index, message):
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(ModelError, match=message):
        require_weights(tmp_path)


def test_pickled_weights_are_found_and_only_fetch_model_reads_them(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickle")
    assert find_weights(tmp_path) == ["pytorch_model.bin"]
    assert are_pickled(find_weights(tmp_path))
    message = (
        f"^model: {tmp_path} has its weights in pytorch_model\\.bin, a pickle, and only safetensors are read; "
        f"`sparse-core fetch_model --model {tmp_path} --output NEW_DIRECTORY` converts them$"
    )
    with pytest.raises(ModelError, match=message):
        require_weights(tmp_path)


def test_pickled_shards_are_found_by_their_index(tmp_path):
    shard = "pytorch_model-00001-of-00001.bin"
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(ModelError, match=rf"has no {shard}, which pytorch_model\.bin\.index\.json names; copy all"):
        find_weights(tmp_path)
    (tmp_path / shard).write_bytes(b"pickle")
    assert find_weights(tmp_path) == [index.name, shard]
    assert are_pickled(find_weights(tmp_path))


def test_a_pointer_is_no_pickle(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n")
    with pytest.raises(
        ModelError, match=r"pytorch_model\.bin is a Git LFS pointer, not the weights; run `git lfs pull`"
    ):
        find_weights(tmp_path)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("tf_model.h5", ""),
        ("model.pt", " but model.pt"),
        ("model.pth", " but model.pth"),
        ("pytorch_model-00001-of-00002.bin", " but pytorch_model-00001-of-00002.bin"),
    ],
)
def test_no_weights(tmp_path, name, found):
    (tmp_path / name).write_bytes(b"")
    message = (
        f"has no weights{found}; expected model.safetensors or pytorch_model.bin, or one of their indexes with its"
    )
    with pytest.raises(ModelError, match=f"{message} shards .*save_pretrained.* writes safetensors"):
        find_weights(tmp_path)


def test_quantized_checkpoints_of_sparseml_are_refused(tmp_path):
    key = "bert.encoder.layer.0.output.dense.module.weight_fake_quant.activation_post_process.min_val"
    header = json.dumps({key: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(
        ModelError, match=rf"model\.safetensors is a quantized checkpoint of SparseML \('{key}' belongs"
    ):
        require_weights(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.txt", "vocab.json", "spiece.model"])
def test_one_vocabulary_is_enough(tmp_path, name):
    for file in (name, "tokenizer_config.json", "README.md"):
        (tmp_path / file).write_text("{}")
    assert require_tokenizer(tmp_path) == [name, "tokenizer_config.json"]


def test_no_vocabulary(tmp_path):
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"has no tokenizer; expected one of tokenizer\.json, vocab\.txt, .*save"):
        require_tokenizer(tmp_path)
