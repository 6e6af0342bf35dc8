from __future__ import annotations

import json

from sparse_core.artifacts.record import RunRecord
from sparse_core.training.output_dir import OutputFolder


def test_a_model_replaces_the_earlier_one_and_the_record_lists_its_files(tmp_path):
    folder = OutputFolder(tmp_path, "text_classification", {"seed": 1})
    folder.start({"train_file": "abc"})
    (tmp_path / "model-00001-of-00002.safetensors").write_text("old")
    (tmp_path / "checkpoint-3").mkdir()
    with folder.publishing_model(metrics={"eval_accuracy": 1.0}) as directory:
        for name in ("config.json", "model.safetensors"):
            (directory / name).write_text("new")
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json", "model.safetensors", "manifest.json", "checkpoint-3",
    }  # fmt: skip
    record = RunRecord.read(tmp_path)
    assert (record.step, record.settings, record.contents) == (
        "text_classification",
        {"seed": 1},
        {"train_file": "abc"},
    )
    assert record.metrics == {"eval_accuracy": 1.0}
    assert set(record.files) == {"config.json", "model.safetensors"}


def test_results_are_added_to_all_results(tmp_path):
    folder = OutputFolder(tmp_path, "text_classification", {})
    folder.write_results("train", {"train_loss": 0.5})
    folder.write_results("eval", {"eval_loss": float("nan"), "eval_accuracy": 1.0, "eval_x": float("-inf")})
    assert json.loads((tmp_path / "train_results.json").read_text()) == {"train_loss": 0.5}
    expected = {"train_loss": 0.5, "eval_loss": None, "eval_accuracy": 1.0, "eval_x": None}
    assert json.loads((tmp_path / "all_results.json").read_text()) == expected
