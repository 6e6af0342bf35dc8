"""Load time and memory come from a process of their own."""

from __future__ import annotations

import sys

import pytest

from sparse_core.benchmark.engines import ENGINES
from sparse_core.benchmark.memory import EngineFailure, Footprint, measure_footprint, peak_resident_bytes

MEGABYTE = 1_000_000


def test_peak_is_read_from_the_process_status():
    assert peak_resident_bytes("VmPeak:\t  999 kB\nVmHWM:\t  2048 kB\nVmRSS:\t 1024 kB\n") == 2048 * 1024
    assert peak_resident_bytes("Name:\tpython\n") is None


def test_increment_is_unknown_where_the_system_does_not_tell():
    assert Footprint(1.0, 10, 30).increment_bytes == 20
    assert Footprint(1.0, None, None).increment_bytes is None


def test_child_measures_the_model_alone(tiny_model):
    ballast = bytearray(300 * MEGABYTE)  # torch and this array belong to the parent and must not be counted

    footprint = measure_footprint(
        ENGINES["onnxruntime"], tiny_model / "model.onnx", [(1, 8), (4, 16)], vocab_size=100, num_threads=1
    )

    assert len(ballast) == 300 * MEGABYTE
    assert 0 < footprint.load_ms < 60_000
    assert 0 < footprint.increment_bytes < 100 * MEGABYTE
    assert footprint.peak_bytes < 250 * MEGABYTE


def test_a_process_ended_by_a_signal_is_told_by_the_signals_name(tmp_path, monkeypatch):
    crashing = tmp_path / "python"
    crashing.write_text("#!/bin/sh\nkill -SEGV $$\n")
    crashing.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crashing))

    with pytest.raises(EngineFailure, match="its process was ended by SIGSEGV"):
        measure_footprint(ENGINES["onnxruntime"], tmp_path, [(1, 8)], vocab_size=100, num_threads=1)


def test_a_model_that_the_engine_cannot_read_is_a_failure_with_its_last_words(tmp_path):
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no model")

    with pytest.raises(EngineFailure, match="model.onnx"):
        measure_footprint(ENGINES["onnxruntime"], broken, [(1, 8)], vocab_size=100, num_threads=1)
