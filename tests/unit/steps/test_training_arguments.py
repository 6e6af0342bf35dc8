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
from sparse_core.steps.training import run_training
from sparse_core.training.callback import ProgressCallback, RecipeCallback
from tests.refusals import refused
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
    ("arguments", "setting"),
    [
        ({"max_steps": 3}, "max_steps"),
        ({"save_only_model": True}, "save_only_model"),
        ({"hub_token": "hf_secret"}, "hub_token"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"learning_rate": "abc"}, "learning_rate"),
        ({"per_device_train_batch_size": 0}, "per_device_train_batch_size"),
        ({"data_seed": -1}, "data_seed"),
        ({"save_strategy": "best"}, "save_strategy"),
        ({"save_strategy": "best", "metric_for_best_model": "loss"}, "save_strategy"),
        ({"load_best_model_at_end": True}, "load_best_model_at_end"),
        ({"save_strategy": "bets"}, ""),
        ({"optim": "adamw_8bit"}, "optim"),
        ({"report_to": "wandbb"}, "report_to"),
        ({"dataloader_drop_last": True}, "dataloader_drop_last"),
        ({"metric_for_best_model": "acuracy"}, "metric_for_best_model"),
        ({"bf17": True}, "bf17"),
    ],
)
def test_arguments_that_cannot_be_used(arguments, setting, inputs, tmp_path):
    with pytest.raises(ConfigError) as caught:
        prune(**inputs, output=tmp_path / "out", **settings(**arguments))
    assert caught.value.setting == f"training_arguments.{setting}".removesuffix(".")
    assert "\n" not in str(caught.value) and "hf_secret" not in str(caught.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", [-1, 5_000_000_000])
def test_a_seed_that_numpy_cannot_take(seed, inputs, tmp_path):
    with pytest.raises(ConfigError) as caught:
        prune(**inputs, output=tmp_path / "out", **settings(seed))
    assert caught.value.setting == "seed"


@pytest.mark.parametrize("name", ["max_seq_length", "per_device_eval_batch_size", "gradient_accumulation_steps"])
def test_counts_below_one(name):
    with pytest.raises(ConfigError) as caught:
        prune.read_settings({name: 0})
    assert caught.value.setting == name


def test_a_regression_has_no_classes_to_smooth(inputs, tmp_path):
    inputs["dataset"] = make_dataset(
        tmp_path / "numbers", labels=[0.5, 1.0, 2.0, 0.1, 0.2], label_names=(), label_type="double",
        problem_type="regression", num_labels=1,
    )  # fmt: skip
    inputs["model"] = make_model(tmp_path / "encoder")
    del inputs["teacher"]
    with pytest.raises(ConfigError) as caught:
        train_teacher(**inputs, output=tmp_path / "out", **settings(label_smoothing_factor=0.1))
    assert caught.value.setting == "training_arguments.label_smoothing_factor"


@pytest.mark.parametrize(("step", "at"), [(prune, 1), (qat_finalize, 3)])
def test_a_training_that_ends_early_is_not_published(step, at, inputs, tmp_path, monkeypatch):
    few = settings(per_device_train_batch_size=3)  # 2 steps in an epoch
    if step is qat_finalize:
        prune(**inputs, output=tmp_path / "sparse", **few)
        inputs["model"] = tmp_path / "sparse"

    def stop(self, args, state, control, **kwargs):
        control.should_training_stop = control.should_training_stop or state.global_step == at

    monkeypatch.setattr(ProgressCallback, "on_step_end", stop)
    with refused(ModelError, "training_arguments"):
        step(**inputs, output=tmp_path / "out", **few)
    assert not (tmp_path / "out").exists()


def test_without_its_last_checkpoint_nothing_is_published(inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(RecipeCallback, "on_save", lambda *args, **kwargs: None)
    with pytest.raises(ModelError) as caught:
        prune(**inputs, output=tmp_path / "out", **settings())
    assert caught.value.setting == "training_arguments"
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
        values = prune.read_settings({**settings(), "use_teacher_tokenizer": True})
        run_training("test", **paths, recipe=recipe, output=tmp_path / "out", settings=values)
    lines = [message for message in caplog.messages if "teacher" in message and "not used" in message]
    assert lines == ["teacher: not used, because nothing in the recipe learns from a teacher"]
    assert "use_teacher_tokenizer has no effect: nothing is distilled" in caplog.messages
