"""Values of training arguments that are refused: by number, by type, by what is there, and by the model's labels."""

from __future__ import annotations

import pytest
import torch

from sparse_core.errors import ConfigError
from sparse_core.training import TrainingArguments
from sparse_core.training.assembly import _require_optimizer
from sparse_core.training.checks import (
    AT_LEAST_ONE,
    RANGES,
    require_batch,
    require_in_range,
    require_types,
    require_usable,
)
from tests.unit.training.test_distiller import KINDS, make, make_trainer

LEARNING_RATE_LATER = """
training_modifiers:
- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 2.0}
- !SetLearningRateModifier {start_epoch: 1.0, learning_rate: 0.001}
"""


def test_every_range_is_of_a_training_argument():
    assert RANGES.keys() <= vars(TrainingArguments("out")).keys()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seed", -1, "seed: expected a whole number from 0 to 4294967295, got -1"),
        ("seed", 2**32, "seed: expected a whole number from 0 to 4294967295, got 4294967296"),
        ("learning_rate", -0.5, "learning_rate: expected 0 or more, got -0.5"),
        ("adam_beta1", 1, "adam_beta1: expected a value of 0 or more and below 1, got 1"),
        ("logging_steps", 0, "logging_steps: expected more than 0, got 0"),
        ("save_total_limit", 0, "save_total_limit: expected 1 or more, got 0"),
        ("any", float("nan"), "any: expected a finite number, got nan"),
    ],
)
def test_numbers_out_of_range(name, value, message):
    with pytest.raises(ConfigError) as raised:
        require_in_range(name, value)
    assert str(raised.value) == message


def test_numbers_within_their_range_and_other_values():
    for name, value in (("seed", 0), ("seed", 2**32 - 1), ("adam_beta1", 0.0), ("learning_rate", 0), ("any", -3)):
        require_in_range(name, value)
    for value in (None, "text", False):
        require_in_range("save_total_limit", value)
    require_in_range("mine", 1, {"mine": AT_LEAST_ONE})


@pytest.mark.parametrize(
    ("name", "value", "setting"),
    [
        ("learning_rate", "abc", "learning_rate"),
        ("bf16", "false", "bf16"),
        ("save_total_limit", 2.5, "save_total_limit"),
        ("logging_steps", True, "logging_steps"),
        ("optim", 8, "optim"),
    ],
)
def test_values_of_another_type(name, value, setting):
    with pytest.raises(ConfigError) as caught:
        require_types({name: value})
    assert caught.value.setting == setting


def test_values_of_the_right_type():
    require_types({"learning_rate": 1, "optim": "sgd", "save_total_limit": None, "report_to": ["none"], "debug": ""})
    require_types({"lr_scheduler_kwargs": {"power": 2.0}, "eval_strategy": "epoch", "bf16": True})


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"report_to": "wandbb"}, "report_to"),
        (
            {"save_strategy": "best"},
            "save_strategy",
        ),
        ({"save_strategy": "best", "metric_for_best_model": "loss"}, "save_strategy"),
        ({"save_strategy": "best", "eval_strategy": "epoch"}, "save_strategy"),
        ({"optim_args": "betas"}, "optim_args"),
    ],
)
def test_arguments_that_lack_something(values, setting):
    with pytest.raises(ConfigError) as caught:
        require_usable(TrainingArguments("out", use_cpu=True, **values))
    assert caught.value.setting == setting


def test_no_batch_at_all(tmp_path):
    settings = {"dataloader_drop_last": True, "per_device_train_batch_size": 7}
    with pytest.raises(ConfigError) as caught:
        make_trainer("SequenceClassification", tmp_path, make("SequenceClassification"), recipe=None, settings=settings)
    assert caught.value.setting == "dataloader_drop_last"


def test_saving_the_best_with_all_that_it_needs():
    values = {"save_strategy": "best", "metric_for_best_model": "loss", "eval_strategy": "epoch"}
    require_usable(TrainingArguments("out", use_cpu=True, **values))


def test_an_optimizer_that_cannot_be_made(tmp_path):
    trainer = make_trainer("SequenceClassification", tmp_path, make("SequenceClassification"), recipe=None,
                           settings={"optim": "adamw_bnb_8bit"})  # fmt: skip
    with pytest.raises(ConfigError) as caught:
        _require_optimizer(trainer)
    assert caught.value.setting == "optim"


def test_a_recipe_whose_learning_rate_begins_later(tmp_path):
    trainer = make_trainer(
        "SequenceClassification", tmp_path, make("SequenceClassification"), recipe=LEARNING_RATE_LATER
    )
    _require_optimizer(trainer)
    assert trainer.optimizer is None and trainer.lr_scheduler is None


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("QuestionAnswering", "the positions of question answering"),
        ("a number", "the labels of regression"),
        ("several labels", "the labels of multi_label_classification"),
    ],
)
def test_labels_that_cannot_be_smoothed(kind, labels, tmp_path):
    name = kind if kind[0].isupper() else "SequenceClassification"
    settings = {"label_smoothing_factor": 0.1}
    with pytest.raises(ConfigError) as caught:
        make_trainer(kind, tmp_path, make(name, **KINDS[kind][1]), recipe=None, settings=settings)
    assert caught.value.setting == "label_smoothing_factor"


def test_several_labels_by_the_look_of_the_batch(tmp_path):
    settings = {"label_smoothing_factor": 0.1, "max_steps": 1}
    trainer = make_trainer("several labels", tmp_path, make("SequenceClassification"), recipe=None, settings=settings)
    with pytest.raises(ConfigError) as caught:
        trainer.train()
    assert caught.value.setting == "label_smoothing_factor"


@pytest.mark.parametrize("kind", ["SequenceClassification", "TokenClassification", "MaskedLM"])
def test_classes_are_smoothed(kind, tmp_path):
    losses = []
    for factor in (0.0, 0.1):
        torch.manual_seed(5)  # of the masks
        settings = {"max_steps": 1, "label_smoothing_factor": factor}
        trainer = make_trainer(kind, tmp_path, make(kind, **KINDS[kind][1]), recipe=None, settings=settings)
        trainer.train()
        losses.append(trainer.state.log_history[0]["loss"])
    assert losses[0] != losses[1]


def test_rows_that_make_one_batch_are_enough_to_drop_the_last(tmp_path):
    def arguments(size, drops):
        return TrainingArguments(
            str(tmp_path), per_device_train_batch_size=size, dataloader_drop_last=drops, use_cpu=True
        )

    for size, drops in ((4, True), (5, True), (6, False)):
        require_batch(range(5), arguments(size, drops))
    with pytest.raises(ConfigError) as caught:
        require_batch(range(5), arguments(6, True))
    assert caught.value.setting == "dataloader_drop_last"
