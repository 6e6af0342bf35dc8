"""Engines give the logits that torch gives, and leave the model file as it was."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from sparse_core.artifacts import file_sha256
from sparse_core.benchmark.accuracy import predict
from sparse_core.benchmark.engines import ENGINES, is_installed
from sparse_core.benchmark.engines.base import make_inputs
from sparse_core.errors import ModelError

VOCAB_SIZE = 100
SHAPES = [(1, 8), (3, 17)]


@pytest.fixture(scope="module")
def expected(tiny_model):
    forward = ENGINES["torch"].load(tiny_model, 1)
    return {shape: forward(make_inputs(*shape, VOCAB_SIZE)) for shape in SHAPES}


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "deepsparse"])
@pytest.mark.parametrize("shape", SHAPES)
def test_engine_agrees_with_torch(name, shape, tiny_model, expected):
    if not is_installed(ENGINES[name]):
        pytest.skip(f"{name} is not installed")
    before = file_sha256(tiny_model / "model.onnx")

    logits = ENGINES[name].load(tiny_model / "model.onnx", 1)(make_inputs(*shape, VOCAB_SIZE))

    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected[shape], atol=1e-4)
    assert file_sha256(tiny_model / "model.onnx") == before


def test_torch_logits_are_those_of_the_model_itself(tiny_model, expected):
    import torch
    from transformers import BertForSequenceClassification

    model = BertForSequenceClassification.from_pretrained(tiny_model).eval()
    with torch.no_grad():
        logits = model(input_ids=torch.from_numpy(make_inputs(3, 17, VOCAB_SIZE)["input_ids"])).logits

    np.testing.assert_allclose(expected[3, 17], logits.numpy(), atol=1e-5)


def test_torch_refuses_a_class_that_transformers_does_not_have(tiny_model, tmp_path):
    config = json.loads((tiny_model / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["HomeMadeModel"]}))

    with pytest.raises(ModelError, match="architectures: expected a model class of transformers, got HomeMadeModel"):
        ENGINES["torch"].load(tmp_path, 1)


def test_inputs_are_repeatable_tokens_without_padding():
    inputs = make_inputs(2, 5, VOCAB_SIZE)

    assert {name: (array.shape, array.dtype.name) for name, array in inputs.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids"), ((2, 5), "int64")
    )
    assert inputs["attention_mask"].all()
    assert not inputs["token_type_ids"].any()
    assert 0 <= inputs["input_ids"].min() <= inputs["input_ids"].max() < VOCAB_SIZE
    np.testing.assert_array_equal(inputs["input_ids"], make_inputs(2, 5, VOCAB_SIZE)["input_ids"])


def test_no_engine_package_is_imported_before_it_is_used():
    code = (
        "import sys; import sparse_core.benchmark.engines, sparse_core.benchmark.report; "
        "assert not {'torch', 'transformers', 'onnxruntime', 'matplotlib', 'onnx'} & set(sys.modules)"
    )

    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


class OverwritingEngine:
    """Stands for deepsparse.Engine, which writes into the file that it compiles."""

    compiled: list[dict] = []
    input_names = ("input_ids", "attention_mask")

    def __init__(self, model: str, **settings):
        Path(model).write_bytes(b"overwritten")
        self.compiled.append(settings)

    def run(self, arrays):
        assert [array.flags["C_CONTIGUOUS"] for array in arrays] == [True, True]
        return [np.zeros((len(arrays[0]), 2), dtype=np.float32)]


def test_deepsparse_compiles_a_copy_once_for_each_shape(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepsparse", types.SimpleNamespace(Engine=OverwritingEngine))
    model = tmp_path / "model.onnx"
    model.write_bytes(b"original")

    forward = ENGINES["deepsparse"].load(model, 2)
    for shape in [(1, 8), (1, 8), (4, 8)]:
        assert forward(make_inputs(*shape, VOCAB_SIZE)).shape == (shape[0], 2)

    assert model.read_bytes() == b"original"
    assert [(entry["batch_size"], entry["num_cores"]) for entry in OverwritingEngine.compiled] == [(1, 2), (4, 2)]


class Rows:
    """Rows of a data set, of given lengths; the row's index is its only token."""

    def __init__(self, lengths: list[int]):
        self.lengths = lengths

    def __getitem__(self, key):
        return self.lengths if key == "length" else {"index": key, "length": self.lengths[key]}


def test_predictions_come_in_the_order_of_the_rows_whatever_the_batches():
    batches = []

    def collate(rows):
        import torch

        batches.append([row["length"] for row in rows])
        return {"input_ids": torch.tensor([[row["index"]] for row in rows]), "labels": torch.zeros(len(rows))}

    def forward(inputs):
        assert set(inputs) == {"input_ids"}
        return np.concatenate([inputs["input_ids"], -inputs["input_ids"]], axis=1).astype(np.float32)

    logits = predict(forward, Rows([9, 2, 7, 2, 5]), collate, batch_size=2)

    np.testing.assert_array_equal(logits[:, 0], [0, 1, 2, 3, 4])
    assert batches == [[2, 2], [5, 7], [9]]
