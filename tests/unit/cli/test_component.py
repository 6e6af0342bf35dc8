from __future__ import annotations

import gc
import json
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest

from sparse_core.cli.component import STEP_SECONDS, finite_numbers, run_step
from sparse_core.errors import DataError


class Metrics:
    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.logged: dict[str, float] = {}

    def log_metric(self, metric: str, value: float) -> None:
        self.logged[metric] = value


@pytest.fixture
def metrics(tmp_path):
    return Metrics(tmp_path / "metrics")


@pytest.fixture(autouse=True)
def root_logger():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before
    gc.unfreeze()  # run_step ends a process; here it goes on


def test_artifacts_arrive_as_paths_and_settings_as_they_are(metrics):
    seen = {}

    def step(**arguments):
        seen.update(arguments)
        return {}

    run_step(step, metrics, model=SimpleNamespace(path="/a/model"), seed=3, task="x")
    assert seen == {"model": Path("/a/model"), "seed": 3, "task": "x"}


def test_finite_numbers_are_logged_and_written(metrics, capsys):
    results = {"accuracy": 0.5, "rows": 3, "bad": float("nan"), "name": "x", "flag": True}
    run_step(lambda: results, metrics)
    seconds = metrics.logged.pop(STEP_SECONDS)
    assert 0 <= seconds < 1
    assert metrics.logged == {"accuracy": 0.5, "rows": 3.0}
    assert json.loads(Path(metrics.path).read_text()) == {"accuracy": 0.5, "rows": 3.0, STEP_SECONDS: seconds}
    assert capsys.readouterr().out == f"step_seconds: {seconds:.3f}\n"


def test_a_refused_input_is_one_line_and_exit_code_1(metrics, capsys):
    def step():
        raise DataError("train_file: x.csv does not exist")

    with pytest.raises(SystemExit) as exit_info:
        run_step(step, metrics)
    assert exit_info.value.code == 1
    assert capsys.readouterr().err == "error: train_file: x.csv does not exist\n"
    assert not Path(metrics.path).exists()


def test_an_interrupt_is_exit_code_130(metrics):
    def step():
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as exit_info:
        run_step(step, metrics)
    assert exit_info.value.code == 130


def test_a_defect_keeps_its_traceback(metrics):
    def step():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_step(step, metrics)


def test_the_end_of_the_process_collects_nothing(metrics):
    run_step(dict, metrics)
    assert gc.get_freeze_count() > 0


def test_infinities_and_booleans_are_no_metrics():
    assert finite_numbers({"a": float("inf"), "b": -float("inf"), "c": False, "d": 2}) == {"d": 2.0}
