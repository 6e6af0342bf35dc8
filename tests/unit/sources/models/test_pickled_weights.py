"""Pickles of tensors become safetensors, and any other pickle is refused before it does anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import OrderedDict, namedtuple

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from sparse_core.errors import DependencyError, ModelError, OutputError
from sparse_core.sources.models.pickled_weights import write_safetensors

WEIGHT = torch.arange(6, dtype=torch.float32).reshape(2, 3)


class Malicious:
    """Unpickling it runs a command that leaves a file."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return os.system, (f"touch {self.trace}",)


@pytest.fixture
def convert(tmp_path):
    """Saves each object with torch.save and converts the files together; returns what the safetensors file holds."""

    def run(*contents, **how):
        files = [tmp_path / f"pytorch_model-{number}.bin" for number in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            torch.save(content, file, **how)
        write_safetensors(files, tmp_path / "model.safetensors")
        return load_file(tmp_path / "model.safetensors")

    return run


def test_tensors_keep_names_values_and_types(convert, tmp_path):
    state = OrderedDict(
        weight=torch.nn.Parameter(WEIGHT),
        half=WEIGHT.bfloat16(),
        ids=torch.tensor([[1, 2]]),
        turned=WEIGHT.T,
        empty=torch.zeros(0, 3),
        scalar=torch.tensor(2.5),
    )
    state._metadata = {"": {"version": 1}}
    result = convert(state)
    assert set(result) == set(state)
    for name, tensor in state.items():
        assert result[name].dtype == tensor.dtype
        assert torch.equal(result[name], tensor)
    with safe_open(tmp_path / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}


def test_files_from_before_torch_1_6(convert):
    assert torch.equal(convert({"w": WEIGHT}, _use_new_zipfile_serialization=False)["w"], WEIGHT)


def test_shards_become_one_file(convert):
    result = convert({"a": WEIGHT}, {"b": WEIGHT + 1})
    assert torch.equal(result["a"], WEIGHT)
    assert torch.equal(result["b"], WEIGHT + 1)


def test_tensors_that_share_memory_become_copies(convert):
    row = WEIGHT[1]
    result = convert({"embeddings": WEIGHT, "decoder": WEIGHT, "row": row, "repeated": row.expand(4, 3)})
    assert torch.equal(result["embeddings"], WEIGHT)
    assert torch.equal(result["decoder"], WEIGHT)
    assert result["row"].tolist() == [3.0, 4.0, 5.0]
    assert result["repeated"].tolist() == [[3.0, 4.0, 5.0]] * 4


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("switch", ["", "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"])
def test_code_in_a_pickle_does_not_run(convert, tmp_path, monkeypatch, is_zip, switch):
    if switch:
        monkeypatch.setenv(switch, "1")
    trace = tmp_path / "it ran"
    with pytest.raises(ModelError, match=r"posix\.system.* was not called") as caught:
        convert({"w": WEIGHT, "x": Malicious(trace)}, _use_new_zipfile_serialization=is_zip)
    assert caught.value.setting == "model"
    assert not trace.exists()
    assert not (tmp_path / "model.safetensors").exists()


def test_the_command_would_have_run(tmp_path):
    """Shows that the test above can fail: the same file, read without the restriction."""
    torch.save({"x": Malicious(tmp_path / "ran")}, tmp_path / "bad.bin")
    torch.load(tmp_path / "bad.bin", weights_only=False)
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"w": WEIGHT, "epoch": 3}, "'epoch'"),
        ({"state_dict": {"w": WEIGHT}}, "'state_dict'"),
        ({1: WEIGHT}, "'1'"),
        ({"w": WEIGHT.to_sparse()}, "torch.sparse_coo"),
        ({"w": WEIGHT.to(torch.complex64)}, "torch.complex64"),
        ([WEIGHT], "a list"),
        ({}, "a dict"),
        (torch.nn.Linear(1, 1), "torch.nn.modules.linear.Linear"),
        ({"bert.query.module.weight": WEIGHT, "bert.q.activation_post_process.min_val": WEIGHT}, "SparseML"),
    ],
)
def test_a_pickle_holds_dense_tensors_by_name_and_nothing_else(convert, tmp_path, content, name):
    with pytest.raises(ModelError) as caught:
        convert(content)
    assert caught.value.setting == "model"
    assert name in caught.value.problem
    assert [file.name for file in tmp_path.iterdir()] == ["pytorch_model-0.bin"]


def refused(file):
    with pytest.raises(ModelError) as caught:
        write_safetensors([file], file.with_name("model.safetensors"))
    return (caught.value.setting, caught.value.fix) == ("model", "copy it again")


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_file_that_is_cut_short_is_refused(tmp_path, is_zip):
    file = tmp_path / "pytorch_model.bin"
    torch.save({"w": WEIGHT}, file, _use_new_zipfile_serialization=is_zip)
    file.write_bytes(file.read_bytes()[:-20])
    assert refused(file)


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("content", [b"", b"hello, this is no pickle", b"\x80\x04.", b"{}", b"PK\x05\x06" + bytes(18)])
def test_a_file_of_another_kind_is_refused(tmp_path, content):
    (tmp_path / "pytorch_model.bin").write_bytes(content)
    assert refused(tmp_path / "pytorch_model.bin")


def test_room_is_checked_before_anything_is_written(convert, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 0))
    with pytest.raises(OutputError) as caught:
        convert({"w": WEIGHT})
    assert caught.value.setting == "output"
    assert not (tmp_path / "model.safetensors").exists()


def test_a_target_that_cannot_be_written_is_refused(tmp_path):
    torch.save({"w": WEIGHT}, tmp_path / "pytorch_model.bin")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught:
        write_safetensors([tmp_path / "pytorch_model.bin"], tmp_path / "file" / "model.safetensors")
    assert caught.value.setting == "output"


def test_without_torch_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(DependencyError) as caught:
        write_safetensors([tmp_path / "pytorch_model.bin"], tmp_path / "model.safetensors")
    assert (caught.value.setting, caught.value.fix) == ("model", "pip install sparse-pipelines[train]")


@pytest.mark.slow
def test_large_files_are_mapped_not_read(tmp_path):
    """Peak memory, the mapped pages included, stays below one and a half times the file."""
    torch.save({f"w{number}": torch.ones(1 << 20) for number in range(48)}, tmp_path / "pytorch_model.bin")
    code = (
        "import resource; from pathlib import Path; import safetensors.torch\n"
        "from sparse_core.sources.models.pickled_weights import write_safetensors\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "write_safetensors([folder / 'pytorch_model.bin'], folder / 'model.safetensors')\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) * 1024 < 1.5 * 48 * 4 * (1 << 20)
