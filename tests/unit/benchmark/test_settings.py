"""Settings are read, completed and refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparse_core.benchmark import engines as engines_module
from sparse_core.benchmark.engines import ENGINES, select_engines
from sparse_core.benchmark.hardware import usable_cores
from sparse_core.benchmark.settings import parse_positive_integers, parse_settings
from sparse_core.errors import ConfigError, DependencyError

DEFAULTS = {
    "max_seq_length": 128,
    "batch_sizes": "1,16",
    "sequence_lengths": "32,128",
    "num_threads": 0,
    "num_runs": 30,
    "num_warmup_runs": 5,
    "engines": "torch,onnxruntime",
}


def test_defaults_sweep_every_shape_with_one_thread_per_core():
    settings = parse_settings(**DEFAULTS)

    assert settings.shapes == [(1, 32), (1, 128), (16, 32), (16, 128)]
    assert settings.num_threads == usable_cores()
    assert settings.as_row()["engines"] == ["torch", "onnxruntime"]


def test_lists_are_sorted_and_each_number_is_taken_once():
    assert parse_positive_integers("batch_sizes", " 16, 1,16 ") == (1, 16)


@pytest.mark.parametrize("text", ["", "0", "1,", "1;2", "1.5", "-1", "eight", "1,two", "²"])
@pytest.mark.parametrize("setting", ["batch_sizes", "sequence_lengths"])
def test_a_list_that_cannot_be_read_is_refused(setting, text):
    with pytest.raises(ConfigError, match=f"{setting}: expected positive integers separated by commas.*got '{text}'"):
        parse_settings(**{**DEFAULTS, setting: text})


@pytest.mark.parametrize("setting", ["num_runs", "num_warmup_runs", "max_seq_length"])
def test_counts_below_one_are_refused(setting):
    with pytest.raises(ConfigError, match=f"{setting}: expected 1 or more, got 0"):
        parse_settings(**{**DEFAULTS, setting: 0})


def test_negative_threads_are_refused():
    with pytest.raises(ConfigError, match="num_threads: expected 1 or more, or 0 for one per usable core, got -2"):
        parse_settings(**{**DEFAULTS, "num_threads": -2})


def test_lengths_above_the_models_positions_are_refused():
    settings = parse_settings(**{**DEFAULTS, "sequence_lengths": "32,1024", "max_seq_length": 600})

    with pytest.raises(
        ConfigError, match="sequence_lengths: expected at most 512 tokens.* the model some/bert has .*got 1024"
    ):
        settings.check_positions(Path("some/bert"), 512)
    with pytest.raises(ConfigError, match="max_seq_length: .*got 600"):
        parse_settings(**{**DEFAULTS, "max_seq_length": 600}).check_positions(Path("bert"), 512)
    settings.check_positions(Path("bert"), None)


def test_unknown_engine_is_refused_with_the_nearest_one():
    with pytest.raises(ConfigError, match="got 'onnxruntme'; did you mean 'onnxruntime'"):
        select_engines("torch, onnxruntme")


def test_the_reference_engine_is_always_measured():
    assert [engine.name for engine in select_engines("torch")] == ["torch", "onnxruntime"]


def test_a_named_engine_that_is_not_installed_is_an_error_and_an_unnamed_one_is_left_out(monkeypatch):
    monkeypatch.setattr(engines_module, "find_spec", lambda name: None if name == "openvino" else object())

    with pytest.raises(DependencyError, match="engines: 'openvino' needs openvino, not installed here; pip install"):
        select_engines("openvino")
    assert [engine.name for engine in select_engines("")] == ["torch", "onnxruntime", "deepsparse"]


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(engines_module, "find_spec", lambda name: None if name == "onnxruntime" else object())

    with pytest.raises(DependencyError, match=r"pip install 'sparse-pipelines\[benchmark\]'"):
        select_engines("")


def test_names_of_engines_are_their_keys():
    assert [engine.name for engine in ENGINES.values()] == list(ENGINES)
