"""Task names, and what dataset.json may be."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from sparse_core.errors import ConfigError, DataError
from sparse_core.tasks import TASKS, Task, get_task, read_schema, task_of


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_found_under_its_name_and_has_its_primary_metric(name):
    task = get_task(name)
    assert isinstance(task, Task) and task.name == name and task.primary_metric
    assert all(field.description for field in task.options_class.model_fields.values())


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(ConfigError) as caught:
        get_task("text_clasification")
    assert caught.value.setting == "task"


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ConfigError) as caught:  # fmt: skip
        get_task("text_classification", {"treshold": 0.5})
    assert caught.value.setting == "task_args.treshold"


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"threshold": 1.5}, "task_args.threshold"),
        ({"threshold": float("nan")}, "task_args.threshold"),
        ({"problem_type": "binary"}, "task_args.problem_type"),
        ({"metrics": ["bleu"]}, "task_args.metrics"),
        ({"metrics": "f1"}, "task_args.metrics"),
        ({"threshold": True}, "task_args.threshold"),
    ],
)
def test_an_option_out_of_range(options, setting):
    with pytest.raises(ConfigError) as caught:
        get_task("text_classification", options)
    assert caught.value.setting == setting


def test_a_schema_knows_its_task_with_the_options(dataset):
    schema = replace(read_schema(dataset), task_args={"problem_type": "regression", "metrics": ["spearmanr"]})
    schema.write(dataset)
    task = task_of(read_schema(dataset))
    assert task.name == "text_classification" and task.primary_metric == "spearmanr"


def test_no_task_loads_anything_heavy():
    heavy = ("torch", "transformers", "datasets", "numpy", "pyarrow", "sklearn", "scipy")
    code = (
        "import sys; from sparse_core.tasks import TASKS, get_task; [get_task(name) for name in TASKS]; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_a_schema_comes_back_as_it_was_written(dataset):
    schema = read_schema(dataset)
    assert schema.num_labels == 2 and schema.label_names == ["0", "1"]
    assert schema.num_rows == {"train": 5, "validation": 5}
    assert schema.source_columns == {"text": "sentence", "label": "label"}
    schema.write(dataset)
    assert read_schema(dataset) == schema


def test_a_directory_that_is_no_dataset(tmp_path):
    with pytest.raises(DataError) as caught:
        read_schema(tmp_path)
    assert caught.value.setting == "dataset"


@pytest.mark.parametrize("content", ["{", "[]", '{"task": "text_classification"}'])
def test_a_damaged_schema(dataset, content):
    (dataset / "dataset.json").write_text(content)
    with pytest.raises(DataError) as caught:
        read_schema(dataset)
    assert caught.value.setting == "dataset"


def test_a_split_that_is_named_but_not_there(dataset):
    (dataset / "validation.arrow").unlink()
    with pytest.raises(DataError) as caught:
        read_schema(dataset)
    assert caught.value.setting == "dataset"


def test_further_keys_of_a_later_version_are_left_alone(dataset):
    values = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps({**values, "licence": "unknown"}))
    assert read_schema(dataset).label_names == ["0", "1"]
