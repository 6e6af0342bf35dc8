"""Settings are read, completed and refused before anything is loaded."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sparse_core.benchmark import engines as engines_module
from sparse_core.benchmark.engines import ENGINES, select_engines
from sparse_core.benchmark.options import ENGINE_NAMES, BenchmarkOptions, require_positions
from sparse_core.errors import ConfigError, DependencyError
from sparse_core.fields import validated


def test_the_sweep_is_every_pair_ascending_and_each_number_once():
    assert BenchmarkOptions().shapes == [(1, 32), (1, 128), (16, 32), (16, 128)]
    options = validated(BenchmarkOptions, {"batch_sizes": " 16, 1,16 ", "sequence_lengths": [8]})
    assert options.shapes == [(1, 8), (16, 8)]


@pytest.mark.parametrize("text", ["", "0", "1,", "1;2", "1.5", "-1", "eight", "1,two", "²"])
@pytest.mark.parametrize("setting", ["batch_sizes", "sequence_lengths"])
def test_a_list_that_cannot_be_read_is_refused(setting, text):
    with pytest.raises(ConfigError) as caught:
        validated(BenchmarkOptions, {setting: text}, inside="benchmark_options")
    assert (caught.value.setting, caught.value.got) == (f"benchmark_options.{setting}", text)


@pytest.mark.parametrize(("setting", "value"), [("num_runs", 0), ("num_warmup_runs", 0), ("num_threads", -2)])
def test_counts_out_of_range_are_refused(setting, value):
    with pytest.raises(ConfigError) as caught:
        validated(BenchmarkOptions, {setting: value})
    assert (caught.value.setting, caught.value.got) == (setting, value)


def test_an_unknown_engine_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError) as caught:
        validated(BenchmarkOptions, {"engines": "torch, onnxruntme"})
    assert (caught.value.setting, caught.value.got) == ("engines", "onnxruntme")
    assert "'onnxruntime'" in caught.value.fix


def test_lengths_above_the_models_positions_are_refused():
    with pytest.raises(ConfigError) as caught:
        require_positions({"sequence_lengths": 512, "max_seq_length": 600}, "the model some/bert", 512)
    assert (caught.value.setting, caught.value.got) == ("max_seq_length", 600)
    require_positions({"sequence_lengths": 512}, "the model some/bert", 512)
    require_positions({"sequence_lengths": 10_000}, "the model some/xlnet", None)


def test_the_reference_engine_is_always_measured():
    assert [engine.name for engine in select_engines(["torch"])] == ["torch", "onnxruntime"]


def test_a_named_engine_that_is_not_installed_is_an_error_and_an_unnamed_one_is_left_out(monkeypatch):
    monkeypatch.setattr(engines_module, "find_spec", lambda name: None if name == "openvino" else object())
    with pytest.raises(DependencyError) as caught:
        select_engines(["openvino"])
    assert (caught.value.setting, caught.value.fix) == ("engines", "pip install 'openvino'")
    assert [engine.name for engine in select_engines([])] == ["torch", "onnxruntime", "deepsparse"]


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(engines_module, "find_spec", lambda name: None if name == "onnxruntime" else object())
    with pytest.raises(DependencyError) as caught:
        select_engines([])
    assert caught.value.fix == "pip install 'sparse-pipelines[benchmark]'"


def test_the_names_of_the_options_are_those_of_the_engines():
    assert [engine.name for engine in ENGINES.values()] == list(ENGINE_NAMES) == list(ENGINES)


def test_the_options_load_nothing_heavy():
    code = "import sys, sparse_core.benchmark.options as o; assert not {'numpy', 'torch', 'onnx'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
