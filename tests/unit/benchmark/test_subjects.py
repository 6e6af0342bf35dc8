"""Every model in every engine: what runs, what is reported as failed, and what each row states."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import numpy as np
import pytest

from sparse_core.benchmark import subjects
from sparse_core.benchmark.memory import EngineFailure, Footprint
from sparse_core.benchmark.model_files import ModelFile
from sparse_core.benchmark.settings import BenchmarkSettings
from sparse_core.benchmark.subjects import BenchmarkedModel, measure_models

FLOAT_FILE = ModelFile(opset=14, precision="fp32", weight_dtype="float32", raw_bytes=400, gzip_bytes=300)
INT8_FILE = replace(FLOAT_FILE, precision="int8", weight_dtype="uint8", raw_bytes=100)


@dataclasses.dataclass(frozen=True)
class FakeEngine:
    """An engine whose models answer zeros."""

    name: str
    model_format: str = "onnx"
    modules: tuple[str, ...] = ()
    install: str = ""

    def load(self, model, num_threads):
        return lambda inputs: np.zeros((len(inputs["input_ids"]), 2), dtype=np.float32)


ENGINES = (FakeEngine("torch", "huggingface"), FakeEngine("onnxruntime"), FakeEngine("deepsparse"))


def benchmarked(variant, file, encoder_sparsity, directory):
    return BenchmarkedModel(
        variant=variant,
        directory=directory,
        onnx=directory / f"{variant}.onnx",
        file=file,
        made_by="given",
        num_parameters=10,
        encoder_sparsity=encoder_sparsity,
        model_sparsity=encoder_sparsity / 2,
        sparsity_by_kind={},
        sparsity_by_layer={},
    )


@pytest.fixture
def models(tmp_path):
    return [
        benchmarked("dense", FLOAT_FILE, 0.0, tmp_path),
        benchmarked("sparse", FLOAT_FILE, 0.8, tmp_path),
        benchmarked("deployed", INT8_FILE, 0.8, tmp_path),
    ]


def settings(engines=ENGINES):
    return BenchmarkSettings(
        max_seq_length=16,
        batch_sizes=(2,),
        sequence_lengths=(8,),
        num_threads=1,
        num_runs=2,
        num_warmup_runs=1,
        engines=engines,
    )


def footprints(failing=()):
    def measure(engine, model, shapes, *, vocab_size, num_threads):
        if engine.name in failing:
            raise EngineFailure("Assertion gather.cpp")
        return Footprint(1.0, 100, 150)

    return measure


def test_each_engine_runs_every_model_but_torch_the_dense_one_only(models, monkeypatch):
    monkeypatch.setattr(subjects, "measure_footprint", footprints())

    measured = measure_models(models, settings(), vocab_size=10)

    every = [("onnxruntime", variant) for variant in ("dense", "sparse", "deployed")]
    ran = [(row["engine"], row["variant"]) for row in measured.latency]
    assert ran == [("torch", "dense"), *every, *[("deepsparse", variant) for _, variant in every]]
    assert measured.failures == []
    assert measured.footprint[0]["increment_bytes"] == 50


def test_rows_state_their_conditions(models, monkeypatch):
    monkeypatch.setattr(subjects, "measure_footprint", footprints())

    rows = measure_models(models, settings(), vocab_size=10).latency

    stated = {name: rows[3][name] for name in ("model", "opset", "precision", "batch_size", "sequence_length")}
    assert stated == {"model": "sparse int8", "opset": 14, "precision": "int8", "batch_size": 2, "sequence_length": 8}
    assert (rows[3]["num_threads"], rows[3]["num_warmup_runs"], rows[3]["num_runs"]) == (1, 1, 2)
    assert rows[0]["opset"] is None  # torch runs no ONNX file


def test_an_optional_engine_that_fails_is_left_out_and_told(models, monkeypatch, caplog):
    monkeypatch.setattr(subjects, "measure_footprint", footprints(failing=("deepsparse",)))

    measured = measure_models(models, settings(), vocab_size=10)

    assert {row["engine"] for row in measured.latency} == {"torch", "onnxruntime"}
    assert [(row["model"], row["reason"]) for row in measured.failures] == [
        (label, "Assertion gather.cpp") for label in ("dense fp32", "sparse fp32", "sparse int8")
    ]
    assert "deepsparse cannot run the sparse int8 model: Assertion gather.cpp" in caplog.text


def test_the_reference_engine_must_not_fail(models, monkeypatch):
    monkeypatch.setattr(subjects, "measure_footprint", footprints(failing=("onnxruntime",)))

    with pytest.raises(EngineFailure, match="Assertion"):
        measure_models(models, settings(), vocab_size=10)


@pytest.mark.parametrize(
    ("variant", "file", "encoder_sparsity", "label"),
    [
        ("dense", FLOAT_FILE, 0.0, "dense fp32"),
        ("sparse", FLOAT_FILE, 0.8, "sparse fp32"),
        ("deployed", INT8_FILE, 0.8, "sparse int8"),
        ("deployed", INT8_FILE, 0.0, "dense int8"),
        ("deployed", FLOAT_FILE, 0.8, "deployed fp32"),
    ],
)
def test_labels_say_what_the_file_is(tmp_path, variant, file, encoder_sparsity, label):
    assert benchmarked(variant, file, encoder_sparsity, tmp_path).label == label


def test_a_models_row_is_flat_json(models):
    row = models[2].as_row()

    assert (row["label"], row["raw_bytes"], row["weight_dtype"]) == ("sparse int8", 100, "uint8")
    assert isinstance(row["directory"], str)
    assert not {"onnx", "file"} & set(row)
