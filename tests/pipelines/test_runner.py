from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from sparse_core.artifacts.record import PipelineRecord, TaskRun
from sparse_pipelines.pipelines import runner
from sparse_pipelines.pipelines.summary import time_line


def test_results_are_replaced_as_a_whole(tmp_path):
    report, deployment, output = tmp_path / "r", tmp_path / "d", tmp_path / "out"
    deployment.mkdir()
    report.mkdir()
    (output / "deployment").mkdir(parents=True)
    (output / "deployment" / "stale").write_text("")
    (deployment / "model.onnx").write_text("onnx")
    for name in runner.RESULTS:
        (report / name).write_text(name)
    outputs = {"report": SimpleNamespace(path=str(report)), "deployment": SimpleNamespace(path=str(deployment))}
    runner._publish(outputs, output)
    runner._publish(outputs, output)
    assert sorted(path.name for path in output.iterdir()) == ["deployment", "report.html", "report.json"]
    assert [path.name for path in (output / "deployment").iterdir()] == ["model.onnx"]


def test_the_record_separates_the_pipelines_own_time(tmp_path):
    tasks = [
        TaskRun(task="a", status="cached", wall_seconds=0.0, step_seconds=0.0),
        TaskRun(task="b", status="done", wall_seconds=9.5, step_seconds=9.0),
    ]
    (tmp_path / "report.json").write_text("{}")
    record = PipelineRecord(step="sparsify", seconds=10.0, tasks=tasks)
    record.write(tmp_path, files=["report.json"])
    assert PipelineRecord.read(tmp_path).tasks == tasks
    assert json.loads((tmp_path / "manifest.json").read_text())["files"].keys() == {"report.json"}
    assert record.own_seconds == 1.0
    assert time_line(record) == "10.0 s, of which 1.0 s (10%) outside the steps, 1 of 2 steps cached"


@pytest.mark.parametrize("name", ["sparse_transfer", "sparsify"])
def test_labels_tell_tasks_of_one_component_apart(name):
    labels = runner.task_labels(runner.load_pipeline(name).pipeline_spec)
    assert len(set(labels.values())) == len(labels) == {"sparse_transfer": 10, "sparsify": 9}[name]
    assert {"fetch_recipe", "fetch_recipe (teacher_recipe)", "fetch_model", "train_teacher"} <= set(labels.values())
