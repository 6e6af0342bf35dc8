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
    with pytest.raises(ModelError, match=r"recipe: .* differs from the recipe with which .*checkpoint-2 was made"):
        other.train(resume_from_checkpoint=True)


def test_resume_with_other_data_is_refused(make_trainer):
    settings = {"recipe": RECIPE, "distill_teacher": "disable", "save_strategy": "steps", "save_steps": 2}
    make_trainer(callbacks=[StopAt(2)], **settings).train()
    other = make_trainer(rows=make_rows(64), **settings)
    with pytest.raises(ModelError, match="made with 4 steps in an epoch, this training has 8"):
        other.train(resume_from_checkpoint=True)
