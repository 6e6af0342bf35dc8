"""What a command refuses to go on with, what it removes when it starts anew, and whose files it leaves alone."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from sparse_core.artifacts.record import RunRecord
from sparse_core.cli.sparseml.parser import parse
from sparse_core.cli.sparseml.training import run_command, settings_of
from sparse_core.errors import ConfigError, OutputError
from sparse_core.store import MANIFEST_NAME
from sparse_core.training.output_dir import OutputFolder
from sparse_core.training.trainer import Trainer
from tests.unit.cli.sparseml.conftest import RECIPE


def weights(directory):
    return (directory / "model.safetensors").read_bytes()


class Killed(Exception):
    pass


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def trained(run, out):
    """Trains for a step without a recipe; further flags may be given."""

    def make(task="text_classification", **flags):
        return run(task, **{"recipe": None, "max_steps": 1, "do_eval": None, **flags})

    return make


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "setting"),
    [
        ({"learning_rate": 0.1}, "--output_dir"),
        ({"num_train_epochs": 4, "max_steps": None}, "--output_dir"),
        ({"max_steps": 2}, "--output_dir"),
        ({"per_device_train_batch_size": 2}, "--output_dir"),
        ({"gradient_accumulation_steps": 2}, "--output_dir"),
        ({"weight_decay": 0.5}, "--output_dir"),
        ({"optim": "sgd"}, "--output_dir"),
        ({"lr_scheduler_type": "cosine"}, "--output_dir"),
        ({"warmup_steps": 3}, "--output_dir"),
        ({"label_smoothing_factor": 0.1}, "--output_dir"),
        ({"bf16": True}, "--output_dir"),
        ({"seed": 1}, "--output_dir"),
        ({"max_seq_length": 8}, "--output_dir"),
        ({"max_train_samples": 4}, "--output_dir"),
        ({"validation_file": None}, "--output_dir"),
        ({"recipe": RECIPE}, "--output_dir"),
    ],
)
def test_another_setting_is_refused_before_anything_is_read(flags, setting, trained, out, monkeypatch):
    trained()
    before = weights(out)
    monkeypatch.setattr("sparse_core.cli.sparseml.training.student_directory", None)
    if "max_steps" in flags and flags["max_steps"] is None:
        flags = {**flags, "max_steps": 1}
    with pytest.raises(OutputError) as caught:
        trained(**flags)
    assert caught.value.setting == setting
    assert weights(out) == before


def test_a_run_of_another_command_is_refused(trained, files):
    trained()
    with pytest.raises(OutputError) as caught:
        trained("token_classification", train_file=files / "words.jsonl", validation_file=files / "words.jsonl")
    assert caught.value.setting == "--output_dir"


def test_half_a_run_does_not_go_on_with_another_learning_rate(run, out, monkeypatch):
    training_step = Trainer.training_step

    def dying(self, *args, **kwargs):
        if self.state.global_step == 3:
            raise Killed
        return training_step(self, *args, **kwargs)

    flags = {"recipe": None, "num_train_epochs": 2}
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Trainer, "training_step", dying)
        run(**flags)
    assert [path.name for path in out.glob("checkpoint-*")] == ["checkpoint-2"]
    with pytest.raises(OutputError) as caught:
        run(**flags, learning_rate=1e-3)
    assert caught.value.setting == "--output_dir"
    with pytest.raises(OutputError) as caught:
        run(**{**flags, "num_train_epochs": 4})
    assert caught.value.setting == "--output_dir"
    run(**flags)
    assert (out / "config.json").exists()


def test_what_is_logged_saved_and_measured_may_change(trained, files, out):
    trained(lr_scheduler_type="constant", learning_rate=0.1)
    before = weights(out)
    metrics = trained(
        lr_scheduler_type="constant", learning_rate=0.1, logging_steps=1, save_strategy="steps", do_eval=True,
        per_device_eval_batch_size=2, gradient_checkpointing=True, do_predict=True, test_file=files / "test.csv",
        max_predict_samples=3, num_export_samples=1,
    )  # fmt: skip
    assert metrics["predict_samples"] == 3 and "eval_loss" in metrics and weights(out) == before


def test_settings_are_json_and_hold_no_secret(words):
    flags = {"hub_token": "hf_secret", "lr_scheduler_kwargs": '{"a": 1}', "optim_target_modules": "q,k"}
    settings = settings_of(parse("text_classification", words(**flags)))
    assert json.loads(json.dumps(settings, allow_nan=False)) == settings
    assert "secret" not in json.dumps(settings) and settings["lr_scheduler_kwargs"] == {"a": 1}


# --- contents ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def mine(files, model, tmp_path):
    """Copies of the inputs, which may be changed, by their flags."""
    copies = {"train_file": "train.csv", "validation_file": "validation.csv", "test_file": "test.csv"}
    for name in copies.values():
        shutil.copy(files / name, tmp_path / name)
    for name in ("model", "teacher", "tokenizer"):
        shutil.copytree(model, tmp_path / name)
    return {
        **{flag: tmp_path / name for flag, name in copies.items()},
        "model_name_or_path": tmp_path / "model",
        "tokenizer_name": tmp_path / "tokenizer",
    }


def _append_row(file):
    file.write_text(file.read_text() + "word1 good,pos\n")


def _change_weights(directory):
    state = load_file(directory / "model.safetensors")
    state["bert.embeddings.word_embeddings.weight"] += 1
    save_file(state, directory / "model.safetensors", metadata={"format": "pt"})


def _change_tokenizer(directory):
    tokenizer = json.loads((directory / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = not tokenizer["normalizer"]["lowercase"]
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer))


@pytest.mark.parametrize(
    ("flag", "change"),
    [
        ("train_file", _append_row),
        ("validation_file", _append_row),
        ("model_name_or_path", _change_weights),
        ("tokenizer_name", _change_tokenizer),
    ],
)
def test_another_content_is_refused(flag, change, trained, mine, out):
    trained(**mine)
    before, record = weights(out), (out / MANIFEST_NAME).read_text()
    change(mine[flag])
    with pytest.raises(OutputError, match=f"^--output_dir: .*out holds a run with another content of --{flag}; "):
        trained(**mine)
    assert weights(out) == before and (out / MANIFEST_NAME).read_text() == record
    trained(**mine, overwrite_output_dir=True)
    assert (out / MANIFEST_NAME).read_text() != record
    assert flag == "validation_file" or flag == "tokenizer_name" or weights(out) != before


def test_test_rows_may_change(trained, mine):
    trained(**mine, do_predict=True)
    _append_row(mine["test_file"])
    assert trained(**mine, do_predict=True)["predict_samples"] == 7


def test_another_teacher_or_recipe_under_the_same_name_is_refused(run, distilling_recipe, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(distilling_recipe)
    run(output_dir=tmp_path / "teacher")
    flags = {"recipe": recipe, "distill_teacher": tmp_path / "teacher"}
    run(**flags)
    _change_weights(tmp_path / "teacher")
    with pytest.raises(OutputError) as caught:
        run(**flags)
    assert caught.value.setting == "--output_dir"
    run(**flags, overwrite_output_dir=True)
    recipe.write_text(distilling_recipe.replace("hardness: 0.5", "hardness: 0.25"))
    with pytest.raises(OutputError) as caught:
        run(**flags)
    assert caught.value.setting == "--output_dir"


def test_the_same_inputs_made_again_are_the_same(trained, model, files, tmp_path, caplog):
    """Weights that are converted, or made from scratch, at each command."""
    caplog.set_level("INFO", "sparse_core")
    pickled = tmp_path / "pickled"
    shutil.copytree(model, pickled)
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    scratch = {
        "task": "masked_language_modeling", "model_name_or_path": None, "model_type": "distilbert",
        "tokenizer_name": model, "config_overrides": "dim=16,n_layers=1,n_heads=2,hidden_dim=16",
        "train_file": files / "texts.txt", "validation_file": files / "texts.txt", "output_dir": tmp_path / "scratch",
    }  # fmt: skip
    for flags in ({"model_name_or_path": pickled}, scratch):
        trained(**flags)
        caplog.clear()
        trained(**flags)
        assert "the training was complete before" in caplog.text
    contents = RunRecord.read(tmp_path / "scratch").contents
    assert contents.keys() == {"train_file", "validation_file", "model_type", "tokenizer_name"}


def test_a_data_set_is_known_by_its_flag(trained, tmp_path, out):
    import datasets

    def save(*texts):
        rows = datasets.Dataset.from_dict({"text": texts, "label": ["x", "y"]})
        datasets.DatasetDict(train=rows, validation=rows).save_to_disk(str(tmp_path / "saved"))

    flags = {"train_file": None, "validation_file": None, "dataset_name": tmp_path / "saved"}
    save("word1", "word2")
    trained(**flags)
    assert RunRecord.read(out).contents.keys() == {"dataset_name", "model_name_or_path"}
    save("word1", "word3")
    with pytest.raises(OutputError) as caught:
        trained(**flags)
    assert caught.value.setting == "--output_dir"


# --- files of the user's own ------------------------------------------------------------------------------------------


def with_file(words, file, **flags):
    """Runs a command whose flags stand in a file."""
    file.parent.mkdir(exist_ok=True)
    pairs = [word.removeprefix("--").split("=", 1) for word in words(**flags)]
    file.write_text(json.dumps(dict(pairs)))
    return run_command(parse("text_classification", [str(file)]))


def test_a_file_with_flags_may_lie_in_output_dir(words, out):
    flags = {"recipe": None, "max_steps": 1, "do_eval": None}
    with_file(words, out / "run.json", **flags)
    text = (out / "run.json").read_text()
    assert json.loads(text)["output_dir"] == str(out)
    with_file(words, out / "run.json", **flags)
    assert (out / "run.json").read_text() == text and RunRecord.read(out).settings["max_steps"] == 1


def test_beside_a_file_with_flags_nothing_else_may_lie(words, out):
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError) as caught:
        with_file(words, out / "run.json")
    assert caught.value.setting == "--output_dir"


@pytest.mark.parametrize("name", [MANIFEST_NAME, "config.json", "train_results.json"])
def test_a_file_with_flags_is_not_written_over(name, words, out):
    with pytest.raises(OutputError) as caught:
        with_file(words, out / name)
    assert caught.value.setting == "--output_dir" and name in str(caught.value)
    assert "do_train" in json.loads((out / name).read_text())


@pytest.mark.parametrize("content", ["{}", '{"settings": {}, "contents": {}}', "[1]", "no JSON"])
@pytest.mark.parametrize("overwrites", [True, None])
def test_a_record_of_somebody_else_is_left_alone(content, overwrites, run, out):
    out.mkdir()
    (out / MANIFEST_NAME).write_text(content)
    with pytest.raises(OutputError) as caught:
        run(overwrite_output_dir=overwrites)
    assert caught.value.setting == "--output_dir"
    assert (out / MANIFEST_NAME).read_text() == content


def test_what_a_killed_command_left_before_it_began_is_no_hindrance(trained, out):
    (out / ".inputs.partial").mkdir(parents=True)
    (out / f".{MANIFEST_NAME}.0123456789abcdef.partial").write_text("{")
    trained()
    assert (out / "config.json").exists()


# --- starting anew ----------------------------------------------------------------------------------------------------

LEFT_BY_THE_FIRST = {
    "recipe.yaml", "eval_results.json", "predict_results.json", "predict_results.txt", "sample-inputs",
    "sample-outputs", "checkpoint-2", "checkpoint-4", "vocab.txt",
}  # fmt: skip
OF_THE_USER = ("notes.json", "model_old.safetensors", "predict_results_mine.txt", "checkpoint-best", "my_recipe.yaml")


@pytest.fixture
def finished(run, files, out):
    """A run by a recipe with all that a command may leave, and files of the user's beside it."""
    run(do_predict=True, test_file=files / "test.csv", num_export_samples=1)
    (out / "vocab.txt").write_text("of another tokenizer")
    for name in OF_THE_USER:
        (out / name).write_text("mine")
    assert {path.name for path in out.iterdir()} >= LEFT_BY_THE_FIRST
    return out


def test_overwriting_removes_what_the_earlier_run_wrote_and_nothing_else(trained, finished):
    trained(overwrite_output_dir=True)
    names = {path.name for path in finished.iterdir()}
    assert not names & LEFT_BY_THE_FIRST
    assert {"config.json", "model.safetensors", "train_results.json", "checkpoint-1", *OF_THE_USER} <= names
    assert "eval_accuracy" not in json.loads((finished / "all_results.json").read_text())


def test_a_mistake_in_the_second_command_removes_nothing(trained, finished):
    before = {path.name for path in finished.iterdir()}
    with pytest.raises(ConfigError) as caught:
        trained(overwrite_output_dir=True, optim="adamw_bnb_8bit")
    assert caught.value.setting == "--optim"
    assert {path.name for path in finished.iterdir()} == before
    assert "recipe" in RunRecord.read(finished).contents


@pytest.mark.parametrize("last", ["config.json", "checkpoint-4", "recipe.yaml", "vocab.txt"])
def test_killed_while_removing(last, trained, run, files, finished, monkeypatch):
    """Each state in between is refused, or cleared by the next command."""
    written = OutputFolder._written

    def dying(folder):
        for path in written(folder):
            yield path
            if path.name == last:
                raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(OutputFolder, "_require_inputs_stay", lambda folder: None)
        patch.setattr(OutputFolder, "_written", dying)
        trained(overwrite_output_dir=True)
    assert not (finished / "config.json").exists()
    assert "recipe" in RunRecord.read(finished).contents  # still that of the first run
    if (finished / "checkpoint-4").exists():
        with pytest.raises(OutputError) as caught:
            trained()
        assert caught.value.setting == "--output_dir"
        trained(overwrite_output_dir=True)
    else:
        trained()
    assert not {path.name for path in finished.iterdir()} & LEFT_BY_THE_FIRST
    assert "recipe" not in RunRecord.read(finished).contents


@pytest.mark.parametrize(
    ("flag", "inside"),
    [
        ("model_name_or_path", ""),
        ("model_name_or_path", "checkpoint-4"),
        ("tokenizer_name", ""),
        ("distill_teacher", ""),
        ("recipe", "recipe.yaml"),
        ("resume_from_checkpoint", "checkpoint-4"),
    ],
)
def test_inputs_that_would_be_removed_are_refused(flag, inside, trained, finished):
    before = {path.name for path in finished.iterdir()}
    with pytest.raises(OutputError) as caught:
        trained(overwrite_output_dir=True, **{flag: finished / inside})
    assert caught.value.setting == "--overwrite_output_dir"
    assert {path.name for path in finished.iterdir()} == before


def test_a_teacher_may_have_the_name_of_the_folder(run, distilling_recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flags = {"recipe": distilling_recipe, "distill_teacher": "self", "output_dir": "self"}
    run(**flags)
    run(**flags, overwrite_output_dir=True)
    assert (tmp_path / "self" / "config.json").exists()
