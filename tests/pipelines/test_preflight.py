from __future__ import annotations

import pytest

from sparse_core.artifacts import fingerprint
from sparse_core.errors import SparseCoreError
from sparse_pipelines.pipelines.config import load_config
from sparse_pipelines.pipelines.preflight import content_hashes, preflight


def test_good_input_passes(settings, write_config):
    preflight(load_config(write_config(settings)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_file": "none.csv"}, r"train_file: .*none\.csv: there is no such file"),
        ({"test_file": "none.csv"}, r"test_file: .*none\.csv: there is no such file"),
        ({"train_file": ""}, "train_file: no file is given"),
        ({"train_file": "s3://bucket/train.csv"}, "s3://bucket/train.csv"),
        ({"dataset_name": "tweet_eval"}, "dataset_name: 'tweet_eval' is given together with train_file"),
        ({"validation_ratio": 0.5, "task": "token_clasification"}, "did you mean 'token_classification'"),
        ({"task_name": "sst3"}, "did you mean 'sst2'"),
        ({"task_args": {"treshold": 0.5}}, "no option 'treshold'.*did you mean 'threshold'"),
        ({"task_args": "[1]"}, "task_args: expected a JSON object"),
        ({"recipe": "sst2/pruned90"}, "no built-in recipe.*did you mean 'sst2/pruned90_quant'"),
        ({"recipe": "dense/base"}, "never prunes"),
        ({"recipe_args": {"num_epoch": 3}}, "did you mean 'num_epochs'"),
        ({"teacher_recipe": "dense/bas"}, "^teacher_recipe: .*did you mean 'dense/base'"),
        ({"recipe_args": {"qat_start_epoch": 20.0}}, "20"),
        ({"model": "./none"}, "^model: the directory ./none does not exist"),
    ],
)
def test_bad_input_is_refused_before_any_step(settings, write_config, change, message):
    with pytest.raises(SparseCoreError, match=message):
        preflight(load_config(write_config(settings | change)))


def test_an_empty_data_file_is_refused(settings, write_config, tmp_path):
    (tmp_path / "validation.csv").write_text("")
    with pytest.raises(SparseCoreError, match=r"validation_file: .* the file is empty"):
        preflight(load_config(write_config(settings)))


@pytest.mark.parametrize(
    ("file", "kind"),
    [("config.json", "config.json"), ("model.safetensors", "weights"), ("tokenizer.json", "tokenizer")],
)
def test_an_incomplete_model_directory_is_refused(settings, write_config, tmp_path, file, kind):
    (tmp_path / "dense" / file).unlink()
    with pytest.raises(SparseCoreError, match=f"^teacher_model: .*dense has no {kind}"):
        preflight(load_config(write_config(settings)))


def test_a_revision_of_a_directory_is_refused(settings, write_config):
    with pytest.raises(SparseCoreError, match="teacher_model: revision: 'main' is given"):
        preflight(load_config(write_config(settings | {"teacher_model_revision": "main"})))


def test_sparsify_needs_a_recipe_that_makes_zeros(settings, write_config):
    del settings["teacher_model"]
    settings |= {"pipeline": "sparsify", "recipe": "sst2/pruned90_quant"}
    with pytest.raises(SparseCoreError, match="recipe: "):
        preflight(load_config(write_config(settings)))


def test_hashes_follow_the_files(settings, write_config, tmp_path):
    config = load_config(write_config(settings))
    before = content_hashes(config)
    assert before["dataset_hash"] == fingerprint(tmp_path / "train.csv", tmp_path / "validation.csv")
    assert before["model_hash"] == fingerprint(tmp_path / "sparse")
    assert before["recipe_hash"] == "", "a built-in recipe is part of the code's fingerprint"
    (tmp_path / "validation.csv").write_text("text,label\nfine,1\nbad,0\n")
    after = content_hashes(config)
    assert {name for name in before if before[name] != after[name]} == {"dataset_hash"}
