"""Which model load_best_model_at_end keeps, and recipes that max_steps cuts short."""

import logging
from types import SimpleNamespace

import pytest
import torch
import transformers

from sparse_core.errors import ConfigError
from sparse_core.modifiers.pruning.parameters import prunable_parameters
from sparse_core.modifiers.quantization.hf_quantizer import quantization_of
from sparse_core.recipe import load_recipe
from sparse_core.training.best_model import first_epoch_that_counts, is_too_early

EPOCHS = "training_modifiers:\n- !EpochRangeModifier {{start_epoch: 0, end_epoch: {}}}\n"
PRUNED = (
    "- !GMPruningModifier {{start_epoch: 0, end_epoch: {}, init_sparsity: 0.2, final_sparsity: 0.8, "
    "update_frequency: 0.25, params: __ALL_PRUNABLE__}}\n"
)
QUANTIZED = "- !QuantizationModifier {{start_epoch: {}}}\n"


@pytest.mark.parametrize(
    ("modifiers", "after", "expected"),
    [
        ("", None, 0.0),
        ("", 3, 3),
        (QUANTIZED.format(8), None, 8.0),
        (QUANTIZED.format(8), 10, 10),
        (PRUNED.format(3), None, 3.0),
        (PRUNED.format(3) + PRUNED.format(5), None, 5.0),
        (PRUNED.format(6) + QUANTIZED.format(8), None, 8.0),
        (PRUNED.format(8) + QUANTIZED.format(6), 7, 8.0),
    ],
)
def test_a_model_counts_when_the_recipe_has_pruned_and_quantizes(modifiers, after, expected):
    args = SimpleNamespace(load_best_model_at_end=True, best_model_after_epoch=after)
    assert first_epoch_that_counts(load_recipe(EPOCHS.format(12) + modifiers), args) == expected
    assert first_epoch_that_counts(None, args) == (after or 0.0)
    args.load_best_model_at_end = False
    assert first_epoch_that_counts(load_recipe(EPOCHS.format(12) + modifiers), args) == 0.0


@pytest.mark.parametrize(
    ("step", "first", "expected"),
    [(10, 0.0, False), (10, 2.0, True), (20, 2.0, True), (21, 2.0, False), (13, 1.25, True), (14, 1.25, False)],
)
def test_the_last_step_must_have_begun_in_the_first_epoch_that_counts(step, first, expected):
    state = SimpleNamespace(global_step=step, epoch=step / 10)
    assert is_too_early(state, 10, first) is expected


def test_data_without_a_length_counts_epochs_as_transformers_does():
    assert is_too_early(SimpleNamespace(global_step=9, epoch=0.9), 0, 1.0)
    assert not is_too_early(SimpleNamespace(global_step=11, epoch=1.1), 0, 1.0)


class EarlierIsBetter(transformers.TrainerCallback):
    """Gives each evaluation a worse score than the one before."""

    def on_evaluate(self, args, state, control, metrics=None, **kwargs):
        metrics["eval_score"] = -state.global_step


@pytest.fixture
def train(make_trainer):
    """Trains with load_best_model_at_end, by scores that fall; four steps make an epoch."""

    def make(**settings):
        values = {"eval_strategy": "epoch", "save_strategy": "epoch", "greater_is_better": True}
        trainer = make_trainer(
            load_best_model_at_end=True, metric_for_best_model="score", callbacks=[EarlierIsBetter()],
            save_total_limit=None, **{**values, **settings},
        )  # fmt: skip
        trainer.train()
        return trainer

    return make


def sparsity(model):
    parameters = prunable_parameters(model).values()
    return sum(int((p == 0).sum()) for p in parameters) / sum(p.numel() for p in parameters)


def test_the_best_model_is_pruned_to_the_end(train):
    trainer = train(recipe=EPOCHS.format(4) + PRUNED.format(2))
    assert trainer.state.best_global_step == 12
    assert sparsity(trainer.model) == pytest.approx(0.8, abs=0.01)


def test_the_best_model_of_a_quantizing_recipe_is_quantized(train, tmp_path):
    trainer = train(recipe=EPOCHS.format(3) + QUANTIZED.format(1))
    assert trainer.state.best_global_step == 8 and quantization_of(trainer.model) is not None
    trainer.save_model(str(tmp_path / "saved"))
    saved = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "saved")
    assert quantization_of(saved) is not None


@pytest.mark.parametrize(("settings", "best"), [({}, 4), ({"best_model_after_epoch": 1}, 8)])
def test_the_users_epoch_counts_without_a_recipe_too(train, settings, best):
    assert train(num_train_epochs=2, **settings).state.best_global_step == best


def test_an_epoch_is_one_of_the_data_under_max_steps(train):
    settings = {"eval_strategy": "steps", "save_strategy": "steps", "eval_steps": 2, "save_steps": 2, "max_steps": 8}
    assert train(best_model_after_epoch=1, **settings).state.best_global_step == 6


def test_no_model_that_counts_leaves_the_last_one_and_says_so(train, caplog):
    trainer = train(recipe=EPOCHS.format(2) + PRUNED.format(2))
    assert trainer.state.best_model_checkpoint is None and trainer.state.global_step == 8
    assert sparsity(trainer.model) > 0.7
    assert [line for line in caplog.messages if line.startswith("load_best_model_at_end")] == [
        "load_best_model_at_end has no effect: no checkpoint after epoch 2 has a score, and earlier ones "
        "do not count; the model is that of the last step"
    ]


def test_the_users_epoch_without_load_best_model_at_end(make_trainer, caplog):
    make_trainer(best_model_after_epoch=2)
    assert "best_model_after_epoch has no effect without load_best_model_at_end" in caplog.messages


@pytest.mark.parametrize("name", ["no_such_score", "eval_no_such_score"])
def test_a_best_model_by_a_score_that_is_not_there(make_trainer, name):
    trainer = make_trainer(eval_strategy="epoch", metric_for_best_model=name, num_train_epochs=1)
    with pytest.raises(ConfigError) as caught:
        trainer.train()
    assert caught.value.setting == "metric_for_best_model"


@pytest.mark.parametrize(("max_steps", "warns"), [(3, True), (16, False), (20, False), (-1, False)])
def test_a_recipe_that_max_steps_cuts_short(make_trainer, caplog, max_steps, warns):
    trainer = make_trainer(recipe=EPOCHS.format(4) + QUANTIZED.format(1), max_steps=max_steps)
    with caplog.at_level(logging.WARNING, logger="sparse_core"):
        trainer.train()
    assert [line for line in caplog.messages if line.startswith("max_steps")] == warns * [
        "max_steps: 3 steps end the training at epoch 0.75, and the recipe's last epoch is 4, so what the recipe does "
        "from there on is left out; leave out max_steps to follow it to its end"
    ]
    assert (quantization_of(trainer.model) is None) == warns and torch.isfinite(trainer.model.classifier.weight).all()
