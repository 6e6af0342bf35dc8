"""What the training steps refuse of `training_arguments` and `seed`, and when they must not publish."""

from __future__ import annotations

import json
import logging

import pytest
import torch

from sparse_core.errors import ConfigError, ModelError
from sparse_core.recipe import load_recipe
from sparse_core.steps.prune import prune
from sparse_core.steps.qat_finalize import qat_finalize
from sparse_core.steps.train_teacher import train_teacher
from sparse_core.training.callback import ProgressCallback, RecipeCallback
from sparse_core.training.run import TrainingRun
from sparse_core.training.settings import TrainingSettings
from tests.unit.steps.test_teacher_tokenizer import RECIPE
from tests.unit.tasks.conftest import make_dataset, make_model


@pytest.fixture
def inputs(tmp_path, monkeypatch):
    """Model, teacher, data and a recipe that prunes, then quantizes."""
    monkeypatch.setenv("SPARSE_CORE_CACHE", str(tmp_path / "cache"))
    torch.manual_seed(0)
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    (recipe / "recipe.yaml").write_text(RECIPE)
    return {
        "model": make_model(tmp_path / "model", labels=["0", "1"]),
        "teacher": make_model(tmp_path / "teacher", labels=["0", "1"]),
        "dataset": make_dataset(tmp_path / "dataset", problem_type="single_label_classification", num_labels=2),
        "recipe": recipe,
    }


def settings(seed=42, **training_arguments):
    """Settings of a step."""
    return {"max_seq_length": 16, "seed": seed, "training_arguments": json.dumps(training_arguments)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_steps": 3}, "'max_steps' is decided by the step, the recipe or the task; leave it out$"),
        ({"save_only_model": True}, "'save_only_model' is decided by the step"),
        ({"hub_token": "hf_secret"}, "'hub_token' would stand in the clear .* set the environment variable HF_TOKEN$"),
        ({"learning_rate": -1}, "learning_rate: expected 0 or more, got -1$"),
        ({"learning_rate": "abc"}, "learning_rate: input should be a valid number, got 'abc'$"),
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size: expected 1 or more, got 0$"),
        ({"data_seed": -1}, "data_seed: expected a whole number from 0 to 4294967295, got -1$"),
        ({"save_strategy": "best"}, "save_strategy: best needs metric_for_best_model, the score that decides, and"),
        (
            {"save_strategy": "best", "metric_for_best_model": "loss"},
            "save_strategy best may keep no checkpoint of where prune ends, from which qat_finalize goes on; use epoch",
        ),
        ({"save_strategy": "bets"}, "bets is not a valid SaveStrategy, please select one of"),
        ({"optim": "adamw_8bit"}, "optim: adamw_8bit cannot be used: .*bitsandbytes"),
        ({"report_to": "wandbb"}, "report_to: unknown tool 'wandbb'; .*; did you mean 'wandb'"),
        ({"dataloader_drop_last": True}, "dataloader_drop_last: the 5 training rows are fewer than a batch of 32, "),
        ({"metric_for_best_model": "acuracy"}, "metric_for_best_model: .*'eval_acuracy', which is not found in the"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, message, inputs, tmp_path):
    with pytest.raises(ConfigError, match=f"^training_arguments: {message}") as raised:
        prune(**inputs, output=tmp_path / "out", **settings(**arguments))
    assert "\n" not in str(raised.value) and "hf_secret" not in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", [-1, 5_000_000_000])
def test_a_seed_that_numpy_cannot_take(seed, inputs, tmp_path):
    with pytest.raises(ConfigError, match=f"^seed: expected a whole number from 0 to 4294967295, got {seed}$"):
        prune(**inputs, output=tmp_path / "out", **settings(seed))


@pytest.mark.parametrize("name", ["max_seq_length", "per_device_eval_batch_size", "gradient_accumulation_steps"])
def test_counts_below_one(name):
    with pytest.raises(ConfigError, match=f"^{name}: expected 1 or more, got 0$"):
        TrainingSettings(**{name: 0})


def test_a_regression_has_no_classes_to_smooth(inputs, tmp_path):
    inputs["dataset"] = make_dataset(
        tmp_path / "numbers", labels=[0.5, 1.0, 2.0, 0.1, 0.2], label_names=(), label_type="double",
        problem_type="regression", num_labels=1,
    )  # fmt: skip
    inputs["model"] = make_model(tmp_path / "encoder")
    del inputs["teacher"]
    with pytest.raises(ConfigError, match="^training_arguments: label_smoothing_factor: .* the labels of regression;"):
        train_teacher(**inputs, output=tmp_path / "out", **settings(label_smoothing_factor=0.1))


@pytest.mark.parametrize(("step", "at"), [(prune, 1), (qat_finalize, 3)])
def test_a_training_that_ends_early_is_not_published(step, at, inputs, tmp_path, monkeypatch):
    few = settings(per_device_train_batch_size=3)  # 2 steps in an epoch
    if step is qat_finalize:
        prune(**inputs, output=tmp_path / "sparse", **few)
        inputs["model"] = tmp_path / "sparse"

    def stop(self, args, state, control, **kwargs):
        control.should_training_stop = control.should_training_stop or state.global_step == at

    monkeypatch.setattr(ProgressCallback, "on_step_end", stop)
    message = f"^{step.__name__}: the training ended at step {at} of 4, before the recipe's end or what this step does"
    with pytest.raises(ModelError, match=message):
        step(**inputs, output=tmp_path / "out", **few)
    assert not (tmp_path / "out").exists()


def test_without_its_last_checkpoint_nothing_is_published(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(RecipeCallback, "on_save", lambda *args, **kwargs: None)
    with pytest.raises(ModelError, match="^prune: the training left no checkpoint of step 1, its last, from which "):
        prune(**inputs, output=tmp_path / "out", **settings())
    assert not (tmp_path / "out").exists()


def test_what_is_published_has_a_checkpoint_without_the_arguments(inputs, tmp_path):
    prune(**inputs, output=tmp_path / "sparse", **settings(save_strategy="no"))
    names = {path.name for path in (tmp_path / "sparse" / "checkpoint").iterdir()}
    assert {"model.safetensors", "optimizer.pt", "recipe_state.json"} <= names and "training_args.bin" not in names
    qat_finalize(**{**inputs, "model": tmp_path / "sparse"}, output=tmp_path / "out", **settings(save_strategy="no"))
    assert "quantization_config" in json.loads((tmp_path / "out" / "config.json").read_text())


def test_a_teacher_that_is_not_used_is_mentioned(inputs, tmp_path, caplog):
    recipe = load_recipe("\n".join(line for line in RECIPE.splitlines() if "Distillation" not in line))
    paths = {name: inputs[name] for name in ("model", "dataset", "teacher")}
    with caplog.at_level(logging.INFO, logger="sparse_core"):
        TrainingRun(
            step="test", **paths, recipe=recipe, output=tmp_path / "out", use_teacher_tokenizer=True,
            settings=TrainingSettings(**settings()),
        ).execute()  # fmt: skip
    lines = [message for message in caplog.messages if "teacher" in message and "not used" in message]
    assert lines == ["teacher: not used, because nothing in the recipe learns from a teacher"]
    assert "use_teacher_tokenizer has no effect: nothing is distilled" in caplog.messages
