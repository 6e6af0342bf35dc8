from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from sparse_core.cli.main import load_step
from sparse_core.errors import ConfigError
from sparse_pipelines.pipelines.config import CONFIGS, RUN_FIELDS, load_config
from sparse_pipelines.pipelines.runner import load_pipeline

ROOT = Path(__file__).parents[2]
STEPS_OF = {
    "sparse_transfer": ("train_teacher", "sparse_transfer", "qat_finalize", "export_onnx", "benchmark"),
    "sparsify": ("train_teacher", "prune", "qat_finalize", "export_onnx", "benchmark"),
}
RENAMED = {"revision", "content_hash", "evaluate_only", "recipe", "recipe_args", "model"}
"""Step parameters that a pipeline has more than once, or under a name that says whose they are."""
LEFT_OUT = {("sparsify", "use_teacher_tokenizer")}
"""The teacher of `sparsify` is the fine-tuned model itself, so its tokenizer is the same."""


def test_settings_and_defaults(settings, write_config, tmp_path):
    config = load_config(write_config(settings))
    assert config.pipeline == "sparse_transfer"
    assert config.max_seq_length == 128
    assert config.output_dir == str(tmp_path / "out")
    assert config.train_file == str(tmp_path / "train.csv")
    assert config.model == str(tmp_path / "sparse")
    assert config.recipe == "sst2/pruned90_quant", "a built-in name is no path"
    assert config.test_file == ""


def test_mappings_become_json_and_lists_become_text(settings, write_config):
    settings |= {"recipe_args": {"num_epochs": 3}, "batch_sizes": [1, 8], "sequence_lengths": 32}
    config = load_config(write_config(settings))
    assert config.recipe_args == '{"num_epochs": 3}'
    assert config.batch_sizes == "1,8"
    assert config.sequence_lengths == "32"


def test_the_default_pipeline_is_sparse_transfer(settings, write_config):
    del settings["pipeline"]
    assert load_config(write_config(settings)).pipeline == "sparse_transfer"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_seq_lenght": 3}, "line 8: unknown setting 'max_seq_lenght' .*did you mean 'max_seq_length'?"),
        ({"max_seq_length": 0}, "line 8: max_seq_length: expected a whole number, at least 1, got 0$"),
        ({"max_seq_length": "many"}, "max_seq_length: expected a whole number, at least 1, got many$"),
        ({"max_seq_length": True}, "max_seq_length: expected a whole number, at least 1, got true$"),
        ({"max_seq_length": None}, "line 8: max_seq_length has no value; give one or remove the line$"),
        ({"output_dir": ""}, "line 2: output_dir has no value"),
        ({"teacher_is_trained": "maybe"}, "teacher_is_trained: expected true or false, got maybe$"),
        ({"task_args": [1]}, r"task_args: expected a mapping such as \{doc_stride: 64\}, got \[1\]$"),
        ({"recipe_args": 5}, r"recipe_args: expected a mapping such as \{num_epochs: 3\}, got 5$"),
        ({"train_file": None}, "line 3: train_file has no value"),
        ({"pipeline": "sparse"}, "line 1: pipeline: expected one of sparse_transfer, sparsify, got 'sparse'"),
        ({"pipeline": ["sparsify"]}, "pipeline: expected one of"),
        ({"pipeline": "sparsify"}, "unknown setting 'teacher_model' for the pipeline sparsify"),
        ({"max_metric_loss": float("nan")}, "max_metric_loss: expected a number, got nan$"),
        ({"recipe": 5}, "recipe: expected text, got 5; put it in quotes$"),
        ({"recipe": ["a"]}, r"recipe: expected text, got \[a\]$"),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(settings, write_config, change, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write_config(settings | change))


def test_a_missing_setting_is_named(settings, write_config):
    del settings["teacher_model"]
    with pytest.raises(ConfigError, match="teacher_model is required and not set"):
        load_config(write_config(settings))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model: a\nmodel: b\n", "line 2: model is already set on line 1"),
        ("- a\n- b\n", "must hold `setting: value` lines, got list"),
        ("", "must hold `setting: value` lines"),
        ("model: [\n", "is not valid YAML"),
        ("model: !!python/object/apply:os.system [ls]\n", "is not valid YAML"),
    ],
)
def test_a_file_that_is_no_config_is_refused(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(path)


def test_a_missing_or_unreadable_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        load_config(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes("model: Modèle".encode("latin-1"))
    with pytest.raises(ConfigError, match="cannot be read as UTF-8"):
        load_config(tmp_path / "latin.yaml")


@pytest.mark.parametrize("name", CONFIGS)
def test_fields_are_the_pipelines_parameters(name):
    config_type, spec = CONFIGS[name], load_pipeline(name).component_spec
    hashes = set(config_type.local_inputs)
    assert set(config_type.model_fields) - set(RUN_FIELDS) == set(spec.inputs) - hashes
    assert hashes <= set(spec.inputs)
    for field, info in config_type.model_fields.items():
        if field in RUN_FIELDS:
            continue
        assert info.is_required() == (not spec.inputs[field].optional), field
        if not info.is_required():
            assert info.default == spec.inputs[field].default, field


@pytest.mark.parametrize("name", CONFIGS)
def test_fields_have_the_defaults_of_the_steps(name):
    fields = CONFIGS[name].model_fields
    for step_name in (*STEPS_OF[name], "fetch_dataset"):
        for parameter in inspect.signature(load_step(step_name)).parameters.values():
            if parameter.name in RENAMED or (name, parameter.name) in LEFT_OUT:
                continue
            if parameter.default is not inspect.Parameter.empty:
                assert fields[parameter.name].default == parameter.default, f"{step_name}: {parameter.name}"


@pytest.mark.parametrize("name", CONFIGS)
def test_every_parameter_reaches_a_task(name):
    root = load_pipeline(name).pipeline_spec.root
    used = {
        value.component_input_parameter for task in root.dag.tasks.values() for value in task.inputs.parameters.values()
    }
    assert used == set(root.input_definitions.parameters)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.yaml")), ids=lambda path: path.name)
def test_examples_show_every_setting_with_its_default(path):
    config = load_config(path)
    text = path.read_text()
    for field, info in type(config).model_fields.items():
        assert re.search(rf"^(# )?{field}:", text, re.MULTILINE), f"{path.name} does not mention {field}"
        commented = re.search(rf"^# {field}: *([^#\n]*)", text, re.MULTILINE)
        if commented and not info.is_required() and info.default not in ("", None):
            assert commented[1].strip().strip('"').lower() == str(info.default).lower(), field
