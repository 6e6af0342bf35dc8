"""A task that is not in the library runs through all steps and SparseML's command, added as docs/add-a-task.md says."""

from __future__ import annotations

import json
import sys
from types import ModuleType

import pytest

from sparse_core.artifacts.record import RunRecord
from sparse_core.cli.sparseml.parser import parse
from sparse_core.steps.benchmark import benchmark
from sparse_core.steps.export_onnx import export_onnx
from sparse_core.steps.fetch_dataset import fetch_dataset
from sparse_core.steps.fetch_recipe import fetch_recipe
from sparse_core.steps.train_teacher import train_teacher
from sparse_core.tasks import get_task, registry
from sparse_core.tasks.command import TaskCommand
from sparse_core.tasks.predicted import Predicted
from sparse_core.tasks.text_classification.command import TextClassificationData
from sparse_core.tasks.text_classification.task import TextClassification
from tests.unit.tasks.conftest import TEXTS, make_model

FAST = {"max_seq_length": 16, "batch_sizes": "1", "sequence_lengths": "8", "num_threads": 1, "num_runs": 2}
RECIPE = "modifiers:\n  - !EpochRangeModifier {start_epoch: 0.0, end_epoch: 1.0}\n"


class SentimentStars(TextClassification):
    """A rating from one to three stars, scored by how far off it is."""

    name = "sentiment_stars"
    primary_metric = "within_one_star"
    prediction_files = r"stars\.txt"

    def score(self, predictions, rows, examples):
        distances = [abs(star - label) for star, label in zip(predictions, rows["labels"], strict=True)]
        return {"within_one_star": sum(distance <= 1 for distance in distances) / len(distances)}

    def write_predictions(self, directory, name, predicted):
        path = directory / "stars.txt"
        path.write_text("".join(f"{star + 1}\n" for star in predicted.predictions))
        return path


@pytest.fixture
def task(monkeypatch):
    """The task in its own folder, and one line in the registry."""
    modules = {"task": ModuleType("task"), "command": ModuleType("command")}
    modules["task"].SentimentStars = SentimentStars
    modules["command"].COMMAND = TaskCommand(
        "sentiment_stars", "Rate texts", TextClassificationData, columns={"input_column_names": "text_column"}
    )
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, f"sparse_core.tasks.sentiment_stars.{name}", module)
    monkeypatch.setitem(registry._CLASSES, "sentiment_stars", "SentimentStars")
    monkeypatch.setattr(registry, "TASKS", tuple(registry._CLASSES))
    return get_task("sentiment_stars")


def test_a_task_of_ones_own_goes_through_all_steps(task, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(["text,label\n", *(f"{text},{star % 3}\n" for star, text in enumerate(TEXTS))]))
    files = dict.fromkeys(("train_file", "validation_file"), str(rows))
    facts = fetch_dataset(tmp_path / "dataset", **files, task=task.name)
    assert facts["num_labels"] == 3
    fetch_recipe(tmp_path / "recipe", recipe=RECIPE)
    model = make_model(tmp_path / "model")
    settings = {"max_seq_length": 16, "training_arguments": json.dumps({"report_to": "none"})}
    metrics = train_teacher(model, tmp_path / "dataset", tmp_path / "recipe", tmp_path / "trained", **settings)
    assert 0.0 <= metrics["eval_within_one_star"] <= 1.0
    exported = export_onnx(tmp_path / "trained", tmp_path / "dataset", tmp_path / "deployment", max_seq_length=16)
    assert exported["agreement"] == 1.0
    candidates = {"torch": tmp_path / "trained", "onnx": tmp_path / "deployment"}
    scores = benchmark(candidates, tmp_path / "dataset", tmp_path / "report", engines="onnxruntime", **FAST)
    assert any("within_one_star" in name for name in scores)
    assert RunRecord.read(tmp_path / "report").step == "benchmark"


def test_a_task_of_ones_own_has_a_command_and_a_prediction_file(task, tmp_path):
    arguments = parse(task.name, ["--output_dir", str(tmp_path), "--input_column_names", "text"])
    assert (arguments.command.title, arguments.data.input_column_names) == ("Rate texts", "text")
    path = task.write_predictions(tmp_path, "", Predicted([0, 2], None, None, None, None))
    assert path.read_text() == "1\n3\n"
