from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sparse_core.benchmark import engines
from sparse_core.errors import ConfigError, DependencyError, SparseCoreError
from sparse_core.store import identity
from sparse_pipelines.pipelines.config import load_config
from sparse_pipelines.pipelines.preflight import preflight, run_parameters


def test_good_input_passes(settings, write_config):
    preflight(load_config(write_config(settings)))


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"train_file": "none.csv"}, "train_file"),
        ({"test_file": "none.csv"}, "test_file"),
        ({"train_file": "s3://bucket/train.csv"}, "train_file"),
        ({"dataset_name": "tweet_eval"}, "dataset_name"),
        ({"task": "token_clasification"}, "task"),
        ({"task_name": "sst3"}, "task_name"),
        ({"task_args": {"treshold": 0.5}}, "task_args.treshold"),
        ({"recipe": "sst2/pruned90"}, "recipe"),
        ({"recipe": "dense/base"}, "recipe"),
        ({"recipe_args": {"num_epoch": 3}}, "recipe_args"),
        ({"teacher_recipe": "dense/bas"}, "teacher_recipe"),
        ({"model": "./none"}, "model"),
        ({"model": "s3://bucket/model"}, "model"),
        ({"teacher_model": "zoo:nlp/foo"}, "teacher_model"),
        ({"teacher_model_revision": "main"}, "teacher_model_revision"),
        ({"training_arguments": {"bf17": True}}, "training_arguments.bf17"),
        ({"training_arguments": {"output_dir": "x"}}, "training_arguments.output_dir"),
        ({"training_arguments": {"learning_rate": "abc"}}, "training_arguments.learning_rate"),
    ],
)
def test_bad_input_is_refused_before_any_step(settings, write_config, change, setting):
    config = load_config(write_config(settings | change))
    with pytest.raises(SparseCoreError) as caught:
        preflight(config)
    assert caught.value.setting == setting
    assert caught.value.place.line == config.places[setting.partition(".")[0]].line


def test_no_data_is_refused(settings, write_config):
    del settings["train_file"], settings["validation_file"]
    with pytest.raises(SparseCoreError) as caught:
        preflight(load_config(write_config(settings)))
    assert caught.value.setting == "train_file"


def test_an_engine_that_is_not_installed_is_refused(settings, write_config, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "deepsparse" else object())
    with pytest.raises(DependencyError) as caught:
        preflight(load_config(write_config(settings | {"engines": "deepsparse"})))
    assert caught.value.setting == "engines"


@pytest.mark.parametrize("field", ["model", "teacher_model"])
@pytest.mark.parametrize("change", [{"sequence_lengths": "8,64"}, {"max_seq_length": 512}], ids=str)
def test_inputs_longer_than_a_local_model_reads_are_refused(settings, write_config, tmp_path, field, change):
    folder = settings[field]
    (tmp_path / folder / "config.json").write_text(json.dumps({"model_type": "bert", "max_position_embeddings": 32}))
    fitting = {"max_seq_length": 32, "sequence_lengths": "8,32"}
    preflight(load_config(write_config(settings | fitting)))
    with pytest.raises(ConfigError) as caught:
        preflight(load_config(write_config(settings | fitting | change)))
    assert caught.value.setting == next(iter(change))


def test_a_stub_of_the_mirror_is_checked_as_a_directory(settings, write_config, tmp_path, monkeypatch):
    stub = "nlp/text_classification/obert-base/pytorch/huggingface/sst2/base-none"
    (tmp_path / stub).parent.mkdir(parents=True)
    (tmp_path / "sparse").rename(tmp_path / stub)
    (tmp_path / stub / "tokenizer.json").unlink()
    monkeypatch.setenv("SPARSE_CORE_ZOO_MIRROR", str(tmp_path))
    with pytest.raises(SparseCoreError) as caught:
        preflight(load_config(write_config(settings | {"model": f"zoo:{stub}"})))
    assert caught.value.setting == "model"


def test_usable_training_arguments_pass_and_leave_nothing_behind(settings, write_config, tmp_path):
    before = sorted(tmp_path.iterdir())
    preflight(load_config(write_config(settings | {"training_arguments": {"warmup_steps": 5}})))
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "config.yaml"])


def test_without_training_arguments_nothing_heavy_is_loaded(settings, write_config):
    code = (
        "import sys; from pathlib import Path\n"
        "from sparse_pipelines.pipelines.config import load_config\n"
        "from sparse_pipelines.pipelines.preflight import preflight\n"
        f"preflight(load_config(Path({str(write_config(settings))!r})))\n"
        "print([name for name in ('torch', 'transformers', 'datasets', 'onnxruntime', 'kfp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_empty_data_file_is_refused(settings, write_config, tmp_path):
    (tmp_path / "validation.csv").write_text("")
    with pytest.raises(SparseCoreError) as caught:
        preflight(load_config(write_config(settings)))
    assert caught.value.setting == "validation_file"


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_an_incomplete_model_directory_is_refused(settings, write_config, tmp_path, file):
    (tmp_path / "dense" / file).unlink()
    with pytest.raises(SparseCoreError) as caught:
        preflight(load_config(write_config(settings)))
    assert caught.value.setting == "teacher_model"


def test_a_revision_of_a_directory_is_refused(settings, write_config):
    with pytest.raises(SparseCoreError) as caught:
        preflight(load_config(write_config(settings | {"teacher_model_revision": "main"})))
    assert caught.value.setting == "teacher_model_revision"


def test_sparsify_needs_a_recipe_that_makes_zeros(settings, write_config):
    del settings["teacher_model"]
    settings |= {"pipeline": "sparsify", "recipe": "sst2/pruned90_quant"}
    with pytest.raises(SparseCoreError) as caught:
        preflight(load_config(write_config(settings)))
    assert caught.value.setting == "recipe"


def test_content_of_local_inputs_is_part_of_the_parameters(settings, write_config, tmp_path):
    (tmp_path / "own.yaml").write_text("training_modifiers:\n  - !EpochRangeModifier {end_epoch: 2}\n")
    config = load_config(write_config(settings | {"teacher_recipe": "own.yaml"}))
    before = run_parameters(config)
    assert before["dataset_options"]["content_hash"] == identity(tmp_path / "train.csv", tmp_path / "validation.csv")
    assert before["model_revision"] == "sha256:" + identity(tmp_path / "sparse")
    assert before["teacher_recipe"] == (tmp_path / "own.yaml").read_text()
    assert before["recipe"] == "sst2/pruned90_quant", "a built-in recipe is part of the code's identity"
    (tmp_path / "validation.csv").write_text("text,label\nfine,1\nbad,0\n")
    after = run_parameters(config)
    assert {name for name in before if before[name] != after[name]} == {"dataset_options"}
