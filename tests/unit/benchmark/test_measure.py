"""Every candidate in every engine: what runs, what is reported as failed, and what each row states."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from sparse_core.benchmark import measure as measure_module
from sparse_core.benchmark.candidates import CandidateFolder
from sparse_core.benchmark.examine import Examined
from sparse_core.benchmark.measure import measure_candidates
from sparse_core.benchmark.memory import EngineFailure, Footprint
from sparse_core.benchmark.options import BenchmarkOptions

OPTIONS = BenchmarkOptions(batch_sizes="2", sequence_lengths="8", num_runs=2, num_warmup_runs=1)


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


@pytest.fixture
def candidates(tmp_path, make_candidate):
    """Dense, sparse and deployed with files, and a quantized model without one."""
    entries = [make_candidate(name) for name in ("dense", "sparse", "deployed")]
    quantized = entries[0].model_copy(update={"name": "quantized", "precision": "int8 simulated", "file": None})
    return [
        Examined(
            CandidateFolder(entry.name, tmp_path, entry.kind),
            entry,
            tmp_path / f"{entry.name}.onnx" if entry.file else None,
            [],
        )
        for entry in (*entries[:2], quantized, entries[2])
    ]


@pytest.fixture
def measured(candidates, monkeypatch):
    def run(*failing, reference="dense"):
        def footprint(engine, model, shapes, *, vocab_size, num_threads):
            if engine.name in failing:
                raise EngineFailure("Assertion gather.cpp")
            return Footprint(1.0, 100, 150)

        monkeypatch.setattr(measure_module, "measure_footprint", footprint)
        return measure_candidates(candidates, reference, ENGINES, OPTIONS, vocab_size=10, num_threads=1)

    return run


def test_onnx_engines_run_what_has_a_file_and_torch_the_reference_only(measured):
    result = measured()

    names = ("dense", "sparse", "deployed")
    assert [(row.engine, row.candidate) for row in result.latency] == [
        ("torch", "dense"), *(("onnxruntime", name) for name in names), *(("deepsparse", name) for name in names)
    ]  # fmt: skip
    assert result.failures == []
    assert result.footprint[0].increment_bytes == 50


def test_a_deployment_as_the_reference_has_speed_1_and_runs_in_no_torch(measured):
    rows = measured(reference="deployed").latency

    assert "torch" not in {row.engine for row in rows}
    assert [row.speed_ratio for row in rows if (row.candidate, row.engine) == ("deployed", "onnxruntime")] == [1.0]


def test_rows_state_their_conditions(measured):
    rows = measured().latency

    own = rows[3]
    assert (own.candidate, own.opset, own.precision, own.batch_size, own.sequence_length) == (
        "deployed", 14, "int8", 2, 8
    )  # fmt: skip
    assert (own.num_threads, own.num_warmup_runs, own.num_runs) == (1, 1, 2)
    assert rows[0].opset is None  # torch runs no ONNX file


def test_an_optional_engine_that_fails_is_left_out_and_told(measured, caplog):
    result = measured("deepsparse")

    assert {row.engine for row in result.latency} == {"torch", "onnxruntime"}
    assert [(row.candidate, row.reason) for row in result.failures] == [
        (name, "Assertion gather.cpp") for name in ("dense", "sparse", "deployed")
    ]
    assert "deepsparse cannot run deployed: Assertion gather.cpp" in caplog.text


def test_the_reference_engine_must_not_fail(measured):
    with pytest.raises(EngineFailure):
        measured("onnxruntime")
