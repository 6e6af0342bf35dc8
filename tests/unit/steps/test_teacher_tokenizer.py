"""The training steps with a teacher that reads other tokens than its student."""

from __future__ import annotations

import json
import logging

import pytest
import torch

from sparse_core.errors import ModelError
from sparse_core.steps.prune import prune
from sparse_core.steps.qat_finalize import qat_finalize
from sparse_core.steps.sparse_transfer import sparse_transfer
from tests.unit.tasks.conftest import WORDS, make_dataset, make_model, make_tokenizer

RECIPE = """
training_modifiers:
- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 2.0}
- !DistillationModifier {hardness: 1.0, temperature: 1.0}
- !GMPruningModifier
  init_sparsity: 0.0
  final_sparsity: 0.5
  start_epoch: 0.0
  end_epoch: 1.0
  update_frequency: 0.5
  params: __ALL_PRUNABLE__
- !QuantizationModifier {start_epoch: 1.0, quantize_linear_activations: false}
"""
SETTINGS = {"max_seq_length": 16, "training_arguments": json.dumps({"report_to": "none"})}


@pytest.fixture
def inputs(tmp_path):
    """Model, data, recipe and a teacher whose tokenizer has the words in another order."""
    torch.manual_seed(0)
    model = make_model(tmp_path / "model", labels=["0", "1"])
    teacher = make_model(tmp_path / "teacher", labels=["0", "1"])
    make_tokenizer(teacher, words=WORDS[::-1])
    recipe = tmp_path / "recipe"
    recipe.mkdir()
    (recipe / "recipe.yaml").write_text(RECIPE)
    return {
        "model": model,
        "dataset": make_dataset(tmp_path / "dataset", problem_type="single_label_classification", num_labels=2),
        "recipe": recipe,
        "teacher": teacher,
    }


def test_pruning_and_quantization_give_the_teacher_its_own_tokens(inputs, tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="sparse_core"):
        prune(**inputs, output=tmp_path / "sparse", use_teacher_tokenizer=True, **SETTINGS)
        inputs["model"] = tmp_path / "sparse"
        metrics = qat_finalize(**inputs, output=tmp_path / "quantized", use_teacher_tokenizer=True, **SETTINGS)
    own, computed, own_again, reused = (m for m in caplog.messages if m.startswith("teacher: "))
    assert own == own_again and str(inputs["teacher"]) in own
    assert "5 rows" in computed and "5 rows" in reused and computed != reused
    assert 0.0 <= metrics["eval_accuracy"] <= 1.0


def test_the_flag_must_be_set(inputs, tmp_path):
    with pytest.raises(ModelError) as caught:
        prune(**inputs, output=tmp_path / "sparse", **SETTINGS)
    assert caught.value.setting == "teacher"
    assert not (tmp_path / "sparse").exists()


@pytest.mark.parametrize("step", [prune, sparse_transfer, qat_finalize])
def test_no_step_gives_a_teacher_its_own_tokens_unasked(step):
    assert step.read_settings({}).use_teacher_tokenizer is False
