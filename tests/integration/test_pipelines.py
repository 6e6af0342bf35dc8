"""Whole runs of both pipelines on the demo's grammar, with few rows and short recipes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import yaml

from sparse_core.artifacts.record import PipelineRecord
from sparse_pipelines.pipelines import demo
from sparse_pipelines.pipelines.cli import main

pytestmark = pytest.mark.slow

SMALL = {
    "recipe_args": {"num_epochs": 2, "qat_start_epoch": 1.0, "observer_epoch": 1.5},
    "teacher_recipe_args": {"num_epochs": 1},
    "max_seq_length": 24,
    "batch_sizes": "1",
    "sequence_lengths": "8",
    "num_runs": 3,
    "num_warmup_runs": 1,
    "engines": "torch,onnxruntime",
    "min_agreement": 0.9,
    "max_metric_loss": 0.1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Data and models of the demo, smaller."""
    folder = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "NUM_ROWS", {"train": 96, "validation": 32, "test": 32})
        demo.write_demo(folder)
    return folder


def write(folder: Path, name: str, **changes: object) -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump({**demo.SETTINGS, **SMALL, **changes}))
    return path


def statuses(output: Path) -> dict[str, str]:
    return {task.task: task.status for task in PipelineRecord.read(output).tasks}


def test_sparse_transfer_from_files_to_report_and_only_what_changed_again(folder, capsys):
    config = write(folder, "transfer.yaml")
    assert main(["run", str(config)]) == 0
    output, text = folder / "output", capsys.readouterr().out
    assert set(statuses(output).values()) == {"done"}
    assert "[10/10] benchmark" in text
    assert f"report:     {output / 'report.html'}" in text
    assert "http://" not in (output / "report.html").read_text().split("</head>")[0]
    assert {"model.onnx", "config.json", "tokenizer.json", "labels.json", "recipe.yaml", "manifest.json"} <= {
        path.name for path in (output / "deployment").iterdir()
    }
    record = PipelineRecord.read(output)
    assert 0 < record.own_seconds < record.seconds
    assert record.settings["max_seq_length"] == SMALL["max_seq_length"]
    assert set(record.files) == {"report.html", "report.json"}

    assert main(["run", str(config)]) == 0
    assert set(statuses(output).values()) == {"cached"}
    assert capsys.readouterr().out.count("... cached") == 10

    recipe_args = {**SMALL["recipe_args"], "init_lr": 2e-4}
    assert main(["run", str(write(folder, "transfer.yaml", recipe_args=recipe_args))]) == 0
    redone = {task for task, status in statuses(output).items() if status == "done"}
    assert redone == {"fetch-recipe-2", "sparse-transfer", "qat-finalize", "export-onnx", "benchmark"}


def test_sparsify_makes_a_sparse_model_from_a_dense_one(folder):
    config = write(
        folder,
        "sparsify.yaml",
        pipeline="sparsify",
        output_dir="sparsified",
        model="dense",
        recipe="sparsify/gradual_quant",
        recipe_args={
            "num_epochs": 3,
            "pruning_end_epoch": 1.0,
            "qat_start_epoch": 2.0,
            "observer_epoch": 2.5,
            "final_sparsity": 0.7,
        },
    )
    settings = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({key: value for key, value in settings.items() if key != "teacher_model"}))
    assert main(["run", str(config)]) == 0
    (summary,) = (folder / "sparsified" / "steps").glob("*/benchmark/report/summary.json")
    sparsity = json.loads(summary.read_text())["quantized_encoder_sparsity"]
    assert sparsity == pytest.approx(0.7, abs=0.01)


def test_a_step_that_refuses_its_input_ends_the_run_with_one_sentence(folder, capsys):
    (folder / "data" / "odd.csv").write_text("sentence,label\nthe film is fine,mixed\n")
    config = write(folder, "odd.yaml", output_dir="odd", validation_file="data/odd.csv")
    with pytest.raises(SystemExit) as exit_info:
        main(["run", str(config)])
    assert exit_info.value.code == 1
    captured = capsys.readouterr()
    assert captured.err.startswith("error: fetch_dataset: ") and captured.err.count("\n") == 1
    assert all(part in captured.err for part in ("odd.csv, line 2", "validation_file", "mixed"))
    assert "Traceback" not in captured.out + captured.err
    assert not (folder / "odd" / "report.html").exists()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_ends_its_step_too(folder, signum):
    config = write(folder, "interrupted.yaml", output_dir=f"interrupted{signum}")
    process = subprocess.Popen(
        [sys.executable, "-m", "sparse_pipelines.pipelines.cli", "run", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.default_int_handler
        ),  # a shell's background job ignores it
    )
    seen = ""
    while "train_teacher" not in seen:
        seen += process.stdout.read(1)
    children = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signum)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.splitlines()[-1].startswith("interrupted: ")
    assert "Traceback" not in error
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive
