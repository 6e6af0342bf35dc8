"""Training arguments of transformers 4, in Python; tests/unit/cli/sparseml/test_parser.py has them as flags."""

import logging
import os

import pytest

from sparse_core.training import TrainingArguments
from sparse_core.training.old_arguments import IGNORED, RENAMED


@pytest.fixture
def make(tmp_path):
    """TrainingArguments with further values."""
    return lambda **values: TrainingArguments(str(tmp_path), **values)


@pytest.mark.parametrize(
    ("old", "new", "notice"),
    [
        ({"evaluation_strategy": "epoch"}, {"eval_strategy": "epoch"}, "strategy is called eval_strategy now"),
        ({"no_cuda": True}, {"use_cpu": True}, "no_cuda is called use_cpu now"),
        ({"warmup_ratio": 0.1}, {"warmup_steps": 0.1}, "warmup_ratio is called warmup_steps now"),
        ({"warmup_ratio": 0.1, "warmup_steps": 0}, {"warmup_steps": 0.1}, "warmup_ratio is"),
        ({"warmup_ratio": 0.0, "warmup_steps": 7}, {"warmup_steps": 7}, "warmup_ratio is"),
        ({"group_by_length": True}, {"train_sampling_strategy": "group_by_length"}, "strategy group_by_length now"),
        ({"group_by_length": False}, {"train_sampling_strategy": "random"}, "train_sampling_strategy random now"),
        ({"adafactor": True}, {"optim": "adafactor"}, "adafactor is called optim adafactor now"),
        ({"adafactor": False}, {"optim": "adamw_torch_fused"}, None),
        ({"optim": "adamw_hf"}, {"optim": "adamw_torch"}, "optim adamw_hf is called adamw_torch now"),
        ({"torchdynamo": None, "save_safetensors": None}, {"torch_compile_backend": None}, None),
        ({"overwrite_output_dir": True}, {"overwrite_output_dir": True}, None),
        ({"best_model_after_epoch": 2}, {"best_model_after_epoch": 2}, None),
    ],
)
def test_old_names_and_values_do_what_they_did_and_say_so(make, caplog, old, new, notice):
    caplog.set_level(logging.INFO, "sparse_core")
    args = make(**old)
    assert {name: getattr(args, name) for name in new} == new
    assert [notice is not None and notice in line for line in caplog.messages] == ([] if notice is None else [True])


@pytest.mark.parametrize("name", ["split_batches", "dispatch_batches"])
@pytest.mark.parametrize("value", [True, False])
def test_batches_for_several_devices_are_the_accelerators(make, name, value):
    assert getattr(make(**{name: value}).accelerator_config, name) is value


@pytest.mark.parametrize("name", IGNORED)
def test_names_without_an_effect_are_passed_over_with_the_reason(make, name, caplog):
    args = make(**{name: True})
    assert caplog.messages == [f"{name} has no effect: {IGNORED[name]}"]
    assert not hasattr(args, name)


def test_the_folder_of_tensorboard_is_handed_on(make, tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "before")
    make(logging_dir=tmp_path / "logs")
    assert os.environ["TENSORBOARD_LOGGING_DIR"] == str(tmp_path / "logs")


def test_a_token_is_not_logged(make, caplog):
    caplog.set_level(logging.INFO, "sparse_core")
    assert make(push_to_hub_token="hf_secret").hub_token == "hf_secret"
    assert "push_to_hub_token is called hub_token now" in caplog.text and "hf_secret" not in caplog.text


@pytest.mark.parametrize(
    "both",
    [
        {"no_cuda": True, "use_cpu": True},
        {"warmup_ratio": 0.1, "warmup_steps": 7},
        {"split_batches": True, "dispatch_batches": True},
    ],
)
def test_an_old_name_and_its_new_one_are_refused(make, both):
    old = [name for name in both if name in RENAMED][-1]
    with pytest.raises(TypeError, match=f"^{old} is an old name of {RENAMED[old].to}, which is given too; leave one"):
        make(**both)


def test_a_name_that_never_was_is_an_error(make):
    with pytest.raises(TypeError, match="unexpected keyword argument 'evaluation_stratgy'"):
        make(evaluation_stratgy="epoch")
