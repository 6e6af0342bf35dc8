from __future__ import annotations

import re
from pathlib import Path

import pytest

from sparse_core.errors import ConfigError
from sparse_core.steps.registry import load_step
from sparse_pipelines.pipelines.config import OUTPUT_DIR, PIPELINE, load_config
from sparse_pipelines.pipelines.spec import PIPELINES

ROOT = Path(__file__).parents[2]


def test_settings_and_defaults(settings, write_config, tmp_path):
    config = load_config(write_config(settings))
    assert config.pipeline.name == "sparse_transfer"
    assert config.output_dir == tmp_path / "out"
    assert config.values["max_seq_length"] == 128
    assert config.values["train_file"] == str(tmp_path / "train.csv")
    assert config.values["model"] == str(tmp_path / "sparse")
    assert config.values["recipe"] == "sst2/pruned90_quant", "a built-in name is no path"
    assert config.values["teacher_recipe"] == "dense/base"
    assert config.values["test_file"] == ""


def test_mappings_and_lists_become_what_the_steps_take(settings, write_config):
    settings |= {"recipe_args": {"num_epochs": 3}, "batch_sizes": [1, 8], "sequence_lengths": 32, "task_args": {"a": 1}}
    values = load_config(write_config(settings)).values
    assert values["recipe_args"] == '{"num_epochs": 3}'
    assert (values["batch_sizes"], values["sequence_lengths"]) == ("1,8", "32")
    assert values["task_args"] == {"a": 1}


def test_a_group_is_its_settings_one_by_one(settings, write_config):
    one_by_one = load_config(write_config(settings | {"opset": 15, "num_runs": 3}))
    grouped = load_config(
        write_config(settings | {"export_options": {"opset": 15}, "benchmark_options": {"num_runs": 3}})
    )
    assert one_by_one.values == grouped.values
    parameters = grouped.pipeline.parameters(grouped.values)
    assert parameters["export_options"] == {"opset": 15}, "a default needs no entry"
    assert parameters["benchmark_options"] == {"num_runs": 3}


def test_the_default_pipeline_is_sparse_transfer(settings, write_config):
    del settings["pipeline"]
    assert load_config(write_config(settings)).pipeline.name == "sparse_transfer"


def test_anchors_and_merges_are_read(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "pipeline: sparsify\nmodel: a/b\nexport_options: &o {opset: 15}\nbenchmark_options:\n  num_runs: 3\n"
    )
    assert load_config(path).values["opset"] == 15


@pytest.mark.parametrize(
    ("change", "setting", "line"),
    [
        ({"max_seq_lenght": 3}, "max_seq_lenght", 8),
        ({"max_seq_length": 0}, "max_seq_length", 8),
        ({"max_seq_length": "many"}, "max_seq_length", 8),
        ({"max_seq_length": True}, "max_seq_length", 8),
        ({"max_seq_length": None}, "max_seq_length", 8),
        ({"output_dir": ""}, "output_dir", 2),
        ({"output_dir": 5}, "output_dir", 2),
        ({"teacher_is_trained": "maybe"}, "teacher_is_trained", 8),
        ({"batch_sizes": [1, 0]}, "batch_sizes", 8),
        ({"batch_sizes": 1.5}, "batch_sizes", 8),
        ({"engines": "torhc"}, "engines", 8),
        ({"task_args": [1]}, "task_args", 8),
        ({"recipe_args": 5}, "recipe_args", 8),
        ({"train_file": None}, "train_file", 3),
        ({"pipeline": "sparse"}, "pipeline", 1),
        ({"pipeline": ["sparsify"]}, "pipeline", 1),
        ({"pipeline": "sparsify"}, "teacher_model", 6),
        ({"max_metric_loss": float("nan")}, "max_metric_loss", 8),
        ({"opset": 18}, "opset", 8),
        ({"weight_type": "int4"}, "weight_type", 8),
        ({"min_agreement": 2}, "min_agreement", 8),
        ({"num_verification_rows": 0}, "num_verification_rows", 8),
        ({"num_threads": -1}, "num_threads", 8),
        ({"num_warmup_runs": 0}, "num_warmup_runs", 8),
        ({"validation_ratio": 1.0}, "validation_ratio", 8),
        ({"seed": -1}, "seed", 8),
        ({"export_options": {"opset": 18}}, "opset", 9),
        ({"export_options": 5}, "export_options", 8),
        ({"opset": 14, "export_options": {"opset": 14}}, "opset", 10),
        ({"recipe": 5}, "recipe", 7),
        ({"recipe": ["a"]}, "recipe", 7),
        ({"content_hash": "x"}, "content_hash", 8),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(settings, write_config, change, setting, line):
    path = write_config(settings | change)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.setting == setting
    assert (caught.value.place.file, caught.value.place.line) == (str(path), line)


def test_an_error_of_the_config_reads_as_the_user_wrote_it(settings, write_config):
    path = write_config(settings | {"max_seq_length": 0})
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(caught.value) == f"{path}, line 8: max_seq_length: expected a whole number, at least 1, got 0"


def test_a_missing_setting_is_named(settings, write_config):
    del settings["teacher_model"]
    with pytest.raises(ConfigError) as caught:
        load_config(write_config(settings))
    assert caught.value.setting == "teacher_model"


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("model: a\nmodel: b\n", "model"),
        ("- a\n- b\n", "config"),
        ("", "config"),
        ("model: [\n", "config"),
        ("model: !!python/object/apply:os.system [ls]\n", ""),
        ("train_file: &a [*a]\n", ""),
        ("task_args: {day: 2024-01-01}\n", ""),
        ("recipe_args:\n  init_lr: !!binary aGk=\n", ""),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path, text, setting):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert caught.value.setting == setting


def test_a_missing_or_unreadable_file_is_refused(tmp_path):
    (tmp_path / "latin.yaml").write_bytes("model: Modèle".encode("latin-1"))
    for name in ("none.yaml", "latin.yaml"):
        with pytest.raises(ConfigError) as caught:
            load_config(tmp_path / name)
        assert caught.value.setting == "config"


@pytest.mark.parametrize("name", PIPELINES)
def test_settings_are_those_of_the_steps(name):
    for use in PIPELINES[name].uses:
        names = {setting.name for setting in load_step(use.step).settings()}
        assert names >= {*use.names, *use.internal, *use.defaults}
    settings = PIPELINES[name].settings()
    assert {"model_revision", "teacher_recipe", "teacher_is_trained", "opset", "num_runs", "seed"} <= set(settings)
    assert ("teacher_model" in settings) == (name == "sparse_transfer")


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_examples_show_every_setting_with_its_default(path):
    config, text = load_config(path), path.read_text()
    fields = {name: setting.field for name, setting in config.pipeline.settings().items()}
    for name in (PIPELINE, OUTPUT_DIR, *fields):
        assert re.search(rf"^(# )?{name}:", text, re.MULTILINE), f"{path.name} does not mention {name}"
    for name, field in fields.items():
        commented = re.search(rf"^# {name}: *([^#\n]*)", text, re.MULTILINE)
        if commented and not field.is_required() and field.default not in ("", {}):
            assert commented[1].strip().strip('"').lower() == str(field.default).lower(), name
