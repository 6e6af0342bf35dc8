from __future__ import annotations

import json

import pytest

from sparse_core.training.output_dir import published, write_results


def test_files_appear_together_with_the_config_last(tmp_path, monkeypatch):
    (tmp_path / "model-00001-of-00002.safetensors").write_text("old")
    (tmp_path / "config.json").write_text("old")
    (tmp_path / "checkpoint-3").mkdir()
    with published(tmp_path) as directory:
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            (directory / name).write_text("new")
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "checkpoint-3",
    }  # fmt: skip
    assert (tmp_path / "config.json").read_text() == "new"


def test_an_error_leaves_the_earlier_model(tmp_path):
    (tmp_path / "config.json").write_text("old")
    (tmp_path / "model.safetensors").write_text("old")
    with pytest.raises(KeyError), published(tmp_path) as directory:
        (directory / "config.json").write_text("new")
        raise KeyError
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "config.json": "old", "model.safetensors": "old",
    }  # fmt: skip


def test_results_are_added_to_all_results(tmp_path):
    write_results(tmp_path, "train", {"train_loss": 0.5})
    write_results(tmp_path, "eval", {"eval_loss": float("nan"), "eval_accuracy": 1.0, "eval_x": float("-inf")})
    assert json.loads((tmp_path / "train_results.json").read_text()) == {"train_loss": 0.5}
    expected = {"train_loss": 0.5, "eval_loss": None, "eval_accuracy": 1.0, "eval_x": None}
    assert json.loads((tmp_path / "all_results.json").read_text()) == expected
