from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

import sparse_core
from sparse_pipelines.pipelines import runner
from sparse_pipelines.pipelines.config import load_config
from sparse_pipelines.pipelines.progress import TaskRecord
from sparse_pipelines.pipelines.summary import time_line


def test_the_code_fingerprint_follows_the_sources(tmp_path, monkeypatch):
    package = tmp_path / "sparse_core"
    package.mkdir()
    (package / "__init__.py").write_text("a = 1\n")
    monkeypatch.setattr(sparse_core, "__file__", str(package / "__init__.py"))
    first = runner.code_fingerprint()
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert runner.code_fingerprint() == first
    (package / "__init__.py").write_text("a = 2\n")
    changed = runner.code_fingerprint()
    assert changed != first
    monkeypatch.setattr(runner.importlib.metadata, "version", lambda name: "0")
    assert runner.code_fingerprint() != changed


def test_results_are_replaced_as_a_whole(tmp_path):
    report, deployment, output = tmp_path / "r", tmp_path / "d", tmp_path / "out"
    (deployment / "deployment").mkdir(parents=True)
    report.mkdir()
    (output / "deployment").mkdir(parents=True)
    (output / "deployment" / "stale").write_text("")
    (deployment / "deployment" / "model.onnx").write_text("onnx")
    for name in ("report.html", "report.json"):
        (report / name).write_text(name)
    outputs = {"report": SimpleNamespace(path=str(report)), "deployment": SimpleNamespace(path=str(deployment))}
    runner._publish(outputs, output)
    runner._publish(outputs, output)
    assert sorted(path.name for path in output.iterdir()) == ["deployment", "report.html", "report.json"]
    assert [path.name for path in (output / "deployment").iterdir()] == ["model.onnx"]


def test_run_json_separates_the_pipelines_own_time(settings, write_config, tmp_path):
    config = load_config(write_config(settings))
    (tmp_path / "out").mkdir()
    records = [TaskRecord("a", "cached", 0.0, 0.0), TaskRecord("b", "done", 9.5, 9.0)]
    run = runner._write_run(config, records, 10.0)
    assert run == json.loads((tmp_path / "out" / "run.json").read_text())
    assert (run["wall_seconds"], run["steps_seconds"], run["pipeline_seconds"]) == (10.0, 9.0, 1.0)
    assert time_line(run) == "10.0 s, of which 1.0 s (10%) outside the steps, 1 of 2 steps cached"


@pytest.mark.parametrize("name", ["sparse_transfer", "sparsify"])
def test_labels_tell_tasks_of_one_component_apart(name):
    labels = runner.task_labels(runner.load_pipeline(name).pipeline_spec)
    assert len(set(labels.values())) == len(labels) == {"sparse_transfer": 10, "sparsify": 9}[name]
    assert {"fetch_recipe", "fetch_recipe (teacher_recipe)", "fetch_model", "train_teacher"} <= set(labels.values())
