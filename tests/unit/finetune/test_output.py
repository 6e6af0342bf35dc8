from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from sparse_core.finetune.best_model import BestModelAfterEpoch, first_epoch_that_counts
from sparse_core.finetune.output import published, write_results


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


@pytest.mark.parametrize(("step", "is_kept"), [(10, False), (20, False), (21, True), (30, True)])
def test_the_best_checkpoint_of_an_early_epoch_is_forgotten(step, is_kept):
    arguments = SimpleNamespace(num_train_epochs=4.0)
    for event in ("on_step_begin", "on_save"):
        state = SimpleNamespace(best_global_step=step, best_metric=0.5, best_model_checkpoint="c", max_steps=40)
        getattr(BestModelAfterEpoch(2.0), event)(arguments, state, None)
        assert (state.best_metric, state.best_model_checkpoint) == ((0.5, "c") if is_kept else (None, None))


def test_nothing_to_forget():
    state = SimpleNamespace(best_global_step=None, best_metric=None, best_model_checkpoint=None, max_steps=40)
    BestModelAfterEpoch(2.0).on_step_begin(SimpleNamespace(num_train_epochs=4.0), state, None)
    assert state.best_global_step is None


@pytest.mark.parametrize(
    ("quantization_start", "after", "expected"), [(8.0, None, 8.0), (8.0, 10, 10), (None, 3, 3), (None, None, 0.0)]
)
def test_quantization_counts_too(quantization_start, after, expected):
    assert first_epoch_that_counts(SimpleNamespace(quantization_start=quantization_start), after) == expected
    assert first_epoch_that_counts(None, after) == (after or 0.0)
