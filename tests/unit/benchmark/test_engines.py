"""Engines give the outputs that torch gives, and leave the model file as it was."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from sparse_core.benchmark.engines import ENGINES, is_installed
from sparse_core.benchmark.engines.base import make_inputs
from sparse_core.errors import ModelError
from sparse_core.store import file_sha256

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

    outputs = ENGINES[name].load(tiny_model / "model.onnx", 1)(make_inputs(*shape, VOCAB_SIZE))

    (logits,) = outputs.values() if isinstance(outputs, dict) else outputs
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, expected[shape]["logits"], atol=1e-4)
    assert file_sha256(tiny_model / "model.onnx") == before


def test_torch_logits_are_those_of_the_model_itself(tiny_model, expected):
    import torch
    from transformers import BertForSequenceClassification

    model = BertForSequenceClassification.from_pretrained(tiny_model).eval()
    with torch.no_grad():
        logits = model(input_ids=torch.from_numpy(make_inputs(3, 17, VOCAB_SIZE)["input_ids"])).logits

    np.testing.assert_allclose(expected[3, 17]["logits"], logits.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino", "deepsparse"])
def test_a_model_with_two_outputs_and_fewer_inputs(name, tmp_path):
    import torch
    from transformers import DistilBertConfig, DistilBertForQuestionAnswering

    from sparse_core.export.onnx import export_model

    if not is_installed(ENGINES[name]):
        pytest.skip(f"{name} is not installed")
    torch.manual_seed(0)
    sizes = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 32}
    model = DistilBertForQuestionAnswering(DistilBertConfig(vocab_size=VOCAB_SIZE, **sizes)).eval()
    model.save_pretrained(tmp_path)
    export_model(model, tmp_path / "model.onnx")
    inputs = make_inputs(3, 17, VOCAB_SIZE)

    outputs = ENGINES[name].load(tmp_path / "model.onnx", 1)(inputs)

    expected = ENGINES["torch"].load(tmp_path, 1)(inputs)
    assert list(expected) == ["start_logits", "end_logits"]
    if not isinstance(outputs, dict):
        outputs = dict(zip(expected, outputs, strict=True))
    for key, values in expected.items():
        np.testing.assert_allclose(outputs[key], values, atol=1e-4)


def test_torch_refuses_a_class_that_transformers_does_not_have(tiny_model, tmp_path):
    config = json.loads((tiny_model / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "architectures": ["HomeMadeModel"]}))

    with pytest.raises(ModelError) as caught:
        ENGINES["torch"].load(tmp_path, 1)
    assert (caught.value.setting, caught.value.got) == ("model", "HomeMadeModel")


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
        "import sys; import sparse_core.benchmark.engines, sparse_core.benchmark.html; "
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
        return [np.zeros((len(arrays[0]), 2), dtype=np.float32), np.ones(1, dtype=np.float32)]


def test_deepsparse_compiles_a_copy_once_for_each_shape(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepsparse", types.SimpleNamespace(Engine=OverwritingEngine))
    model = tmp_path / "model.onnx"
    model.write_bytes(b"original")

    forward = ENGINES["deepsparse"].load(model, 2)
    for shape in [(1, 8), (1, 8), (4, 8)]:
        assert [output.shape for output in forward(make_inputs(*shape, VOCAB_SIZE))] == [(shape[0], 2), (1,)]

    assert model.read_bytes() == b"original"
    assert [(entry["batch_size"], entry["num_cores"]) for entry in OverwritingEngine.compiled] == [(1, 2), (4, 2)]
