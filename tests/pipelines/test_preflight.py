from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sparse_core.benchmark import engines
from sparse_core.errors import ConfigError, DependencyError, SparseCoreError
from sparse_core.store import identity
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
        ({"model": "s3://bucket/model"}, r"^model: s3://bucket/model is in object storage"),
        ({"teacher_model": "zoo:nlp/foo"}, "^teacher_model: 'zoo:nlp/foo' has 2 parts, but a SparseZoo stub has 7"),
        ({"opset": 18}, "^opset: expected 13 to 17, got 18"),
        ({"weight_type": "int4"}, "^weight_type: expected auto, int8, uint8, got 'int4'; did you mean 'int8'"),
        ({"min_agreement": 2}, "^min_agreement: expected a fraction from 0 to 1, got 2"),
        ({"max_metric_loss": -0.1}, "^max_metric_loss: expected 0 or more, got -0.1"),
        ({"num_verification_rows": 0}, "^num_verification_rows: expected 1 or more, got 0"),
        ({"batch_sizes": [1, 0]}, "^batch_sizes: expected positive integers .* got '1,0'"),
        ({"batch_sizes": 1.5}, "^batch_sizes: expected positive integers .* got '1.5'"),
        ({"sequence_lengths": ""}, "^sequence_lengths: expected positive integers .* got ''"),
        ({"num_threads": -1}, "^num_threads: expected 1 or more, or 0 for one per usable core, got -1"),
        ({"num_runs": 0}, "^num_runs: expected 1 or more, got 0"),
        ({"num_warmup_runs": 0}, "^num_warmup_runs: expected 1 or more, got 0"),
        ({"engines": "torhc"}, "^engines: .* got 'torhc'; did you mean 'torch'"),
        ({"training_arguments": "[1]"}, "^training_arguments: expected a JSON object"),
        ({"training_arguments": {"bf17": True}}, "^training_arguments: 'bf17' .*did you mean 'bf16'"),
        ({"training_arguments": {"output_dir": "x"}}, "^training_arguments: 'output_dir' is decided by the step"),
        ({"training_arguments": {"learning_rate": "abc"}}, "^training_arguments: learning_rate: .*got 'abc'"),
    ],
)
def test_bad_input_is_refused_before_any_step(settings, write_config, change, message):
    with pytest.raises(SparseCoreError, match=message):
        preflight(load_config(write_config(settings | change)))


def test_an_engine_that_is_not_installed_is_refused(settings, write_config, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "deepsparse" else object())
    with pytest.raises(DependencyError, match="^engines: 'deepsparse' needs deepsparse, not installed here"):
        preflight(load_config(write_config(settings | {"engines": "deepsparse"})))


@pytest.mark.parametrize("field", ["model", "teacher_model"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"sequence_lengths": "8,64"},
            "^sequence_lengths: expected at most 32 tokens, .* the model .*/{} has .*got 64$",
        ),
        ({"max_seq_length": 512}, "^max_seq_length: expected at most 32 tokens, .* the model .*/{} has .*got 512$"),
    ],
)
def test_inputs_longer_than_a_local_model_reads_are_refused(settings, write_config, tmp_path, field, change, message):
    folder = settings[field]
    (tmp_path / folder / "config.json").write_text(json.dumps({"model_type": "bert", "max_position_embeddings": 32}))
    fitting = {"max_seq_length": 32, "sequence_lengths": "8,32"}
    preflight(load_config(write_config(settings | fitting)))
    with pytest.raises(ConfigError, match=message.format(folder)):
        preflight(load_config(write_config(settings | fitting | change)))


def test_a_stub_of_the_mirror_is_checked_as_a_directory(settings, write_config, tmp_path, monkeypatch):
    stub = "nlp/text_classification/obert-base/pytorch/huggingface/sst2/base-none"
    (tmp_path / stub).parent.mkdir(parents=True)
    (tmp_path / "sparse").rename(tmp_path / stub)
    (tmp_path / stub / "tokenizer.json").unlink()
    monkeypatch.setenv("SPARSE_CORE_ZOO_MIRROR", str(tmp_path))
    with pytest.raises(SparseCoreError, match="^model: .*base-none has no tokenizer"):
        preflight(load_config(write_config(settings | {"model": f"zoo:{stub}"})))


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
    assert before["dataset_hash"] == identity(tmp_path / "train.csv", tmp_path / "validation.csv")
    assert before["model_hash"] == identity(tmp_path / "sparse")
    assert before["recipe_hash"] == "", "a built-in recipe is part of the code's fingerprint"
    (tmp_path / "validation.csv").write_text("text,label\nfine,1\nbad,0\n")
    after = content_hashes(config)
    assert {name for name in before if before[name] != after[name]} == {"dataset_hash"}
