"""A run that stops and goes on equals one that never stopped."""

import json

import pytest
import torch
import transformers

from sparse_core.errors import ModelError
from sparse_core.training.checkpoints import MARKER_NAME
from tests.unit.training.conftest import make_model, make_rows

RECIPE = """
training_modifiers:
- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 3.0}
- !LearningRateFunctionModifier {lr_func: linear, init_lr: 0.003, final_lr: 0.0, start_epoch: 0.0, end_epoch: 3.0}
- !DistillationModifier {hardness: 0.5, temperature: 2.0}
- !GMPruningModifier
  init_sparsity: __FROM_PARAM__
  final_sparsity: 0.8
  start_epoch: 0.0
  end_epoch: 2.0
  update_frequency: 0.5
  params: __ALL_PRUNABLE__
- !QuantizationModifier {start_epoch: 1.5, disable_quantization_observer_epoch: 2.5}
"""


class StopAt(transformers.TrainerCallback):
    """Ends the training after a step, as a preempted machine does after its last checkpoint."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step >= self.step


@pytest.mark.parametrize("stop", [3, 4, 5, 6, 7, 10])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_resume_at_any_step_gives_the_same_weights_bit_for_bit(make_trainer, stop, accumulation):
    settings = {
        "recipe": RECIPE,
        "distill_teacher": make_model(seed=7),
        "save_strategy": "steps",
        "save_steps": 1,
        "per_device_train_batch_size": 8 // accumulation,
        "gradient_accumulation_steps": accumulation,
    }
    whole = make_trainer("whole", **{**settings, "save_strategy": "no"})
    whole.train()
    make_trainer("cut", callbacks=[StopAt(stop)], **settings).train()
    resumed = make_trainer("cut", model=make_model(seed=99), **settings)
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == whole.state.global_step == 12
    expected, actual = whole.model.state_dict(), resumed.model.state_dict()
    assert expected.keys() == actual.keys()
    assert [name for name in expected if not torch.equal(expected[name], actual[name])] == []


def test_stop_epoch_leaves_a_whole_checkpoint_at_that_epoch(make_trainer, tmp_path):
    trainer = make_trainer(recipe=RECIPE, distill_teacher="disable", stop_epoch=1.5)
    trainer.train()
    assert trainer.state.global_step == 6
    assert (tmp_path / "run" / "checkpoint-6" / MARKER_NAME).is_file()
    assert "quantization_config" not in json.loads((tmp_path / "run" / "checkpoint-6" / "config.json").read_text())


def test_a_checkpoint_cut_short_is_passed_over(make_trainer, tmp_path):
    settings = {"recipe": RECIPE, "distill_teacher": "disable", "save_strategy": "steps", "save_steps": 2}
    make_trainer(callbacks=[StopAt(4)], **settings).train()
    (tmp_path / "run" / "checkpoint-4" / "optimizer.pt").unlink()
    resumed = make_trainer(**settings)
    first_steps = []

    class FirstStep(transformers.TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            first_steps.append(state.global_step)

    resumed.add_callback(FirstStep())
    resumed.train(resume_from_checkpoint=True)
    assert first_steps[0] == 2


def test_resume_with_another_recipe_is_refused(make_trainer):
    settings = {"distill_teacher": "disable", "save_strategy": "steps", "save_steps": 2}
    make_trainer(recipe=RECIPE, callbacks=[StopAt(2)], **settings).train()
    other = make_trainer(recipe=RECIPE.replace("0.003", "0.004"), **settings)
    with pytest.raises(ModelError) as caught:
        other.train(resume_from_checkpoint=True)
    assert caught.value.setting == "recipe"


def test_resume_with_other_data_is_refused(make_trainer):
    settings = {"recipe": RECIPE, "distill_teacher": "disable", "save_strategy": "steps", "save_steps": 2}
    make_trainer(callbacks=[StopAt(2)], **settings).train()
    other = make_trainer(rows=make_rows(64), **settings)
    with pytest.raises(ModelError) as caught:
        other.train(resume_from_checkpoint=True)
    assert caught.value.setting == "resume_from_checkpoint"


def test_resume_by_a_recipe_of_a_training_without_one_is_refused(make_trainer):
    settings = {"save_strategy": "steps", "save_steps": 2}
    make_trainer(max_steps=2, **settings).train()
    other = make_trainer(recipe=RECIPE, distill_teacher="disable", **settings)
    with pytest.raises(ModelError) as caught:
        other.train(resume_from_checkpoint=True)
    assert caught.value.setting == "resume_from_checkpoint"


@pytest.mark.parametrize("end", [{"stop_epoch": 1.5}, {"recipe": RECIPE.replace("end_epoch: 3.0", "end_epoch: 2.5")}])
def test_resume_where_the_training_ended_takes_no_step(make_trainer, tmp_path, end):
    settings = {"recipe": RECIPE, "distill_teacher": "disable", "save_strategy": "steps", "save_steps": 1, **end}
    first = make_trainer(**settings)
    first.train()
    again = make_trainer(model=make_model(seed=99), **settings)
    again.train(resume_from_checkpoint=True)
    assert again.state.global_step == first.state.global_step
    expected, actual = first.model.state_dict(), again.model.state_dict()
    assert expected.keys() == actual.keys()
    assert [name for name in expected if not torch.equal(expected[name], actual[name])] == []


def test_a_second_training_begins_the_recipe_anew(make_trainer):
    trainer = make_trainer(recipe=RECIPE, distill_teacher="disable")
    trainer.train()
    before = list(trainer._recipe_callback._active.values())
    trainer.train()
    assert trainer.state.global_step == 12
    assert not set(map(id, before)) & set(map(id, trainer._recipe_callback._active.values()))


class OutOfMemory(transformers.TrainerCallback):
    """Runs out of memory once, at the begin of a step."""

    def __init__(self, step):
        self.step, self.batch_sizes = step, []

    def on_train_begin(self, args, state, control, **kwargs):
        self.batch_sizes.append(state.train_batch_size)

    def on_step_begin(self, args, state, control, **kwargs):
        if state.global_step == self.step and len(self.batch_sizes) == 1:
            raise RuntimeError("CUDA out of memory.")


AT_ONCE = """
training_modifiers:
- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 2.0}
- !GMPruningModifier
  init_sparsity: 0.5
  final_sparsity: 0.8
  start_epoch: 0.0
  end_epoch: 1.0
  params: __ALL_PRUNABLE__
- !QuantizationModifier {start_epoch: 0.0, disable_quantization_observer_epoch: 1.0}
"""


def test_a_recipe_begins_anew_in_the_batches_that_fit_into_memory(make_trainer):
    settings = {"recipe": AT_ONCE, "train_sampling_strategy": "sequential"}
    lack = OutOfMemory(step=0)
    found = make_trainer("found", model=make_model(dropout=0), auto_find_batch_size=True, **settings)
    found.add_callback(lack)  # behind the recipe's, which has acted by then
    found.train()
    assert lack.batch_sizes == [8, 7]
    set_so = make_trainer("set", model=make_model(dropout=0), per_device_train_batch_size=7, **settings)
    set_so.train()
    assert found.state.global_step == set_so.state.global_step == 10
    expected, actual = set_so.model.state_dict(), found.model.state_dict()
    assert expected.keys() == actual.keys()
    assert [name for name in expected if not torch.equal(expected[name], actual[name])] == []


def test_a_recipe_cannot_begin_anew_with_weights_that_it_has_changed(make_trainer):
    trainer = make_trainer(recipe=AT_ONCE, auto_find_batch_size=True, callbacks=[OutOfMemory(step=1)])
    with pytest.raises(ModelError) as caught:
        trainer.train()
    assert caught.value.setting == "auto_find_batch_size"
