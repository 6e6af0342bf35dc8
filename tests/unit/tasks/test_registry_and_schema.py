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
    with pytest.raises(ConfigError, match=r"^task: unknown task 'text_clasification'.*did you mean 'text_classific"):
        get_task("text_clasification")


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(ConfigError, match=r"^task_args: text_classification has no option 'treshold'; accepted are .*"
                                          r"did you mean 'threshold'\?$"):  # fmt: skip
        get_task("text_classification", {"treshold": 0.5})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 1.5}, r"^task_args: threshold: expected a number, at least 0 and at most 1, got 1\.5$"),
        ({"threshold": float("nan")}, r"^task_args: threshold: expected a number, .*, got nan$"),
        ({"problem_type": "binary"}, r"^task_args: problem_type: expected one of '', single_label_.*, got binary$"),
        ({"metrics": ["bleu"]}, r"^task_args: metrics: expected a list, each one of accuracy, .*, got bleu$"),
        ({"metrics": "f1"}, r"^task_args: metrics: expected a list, each one of accuracy, .*, got f1$"),
        ({"threshold": True}, r"^task_args: threshold: expected a number, at least 0 and at most 1, got true$"),
    ],
)
def test_an_option_out_of_range(options, message):
    with pytest.raises(ConfigError, match=message):
        get_task("text_classification", options)


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
    with pytest.raises(DataError, match=r"^dataset: .* has no dataset.json; name the output of"):
        read_schema(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"task": "text_classification"}'])
def test_a_damaged_schema(dataset, content):
    (dataset / "dataset.json").write_text(content)
    with pytest.raises(DataError, match=r"dataset.json is damaged \(.*make it again with fetch_dataset"):
        read_schema(dataset)


def test_a_split_that_is_named_but_not_there(dataset):
    (dataset / "validation.arrow").unlink()
    with pytest.raises(DataError, match=r"has no validation.arrow, which dataset.json lists"):
        read_schema(dataset)


def test_further_keys_of_a_later_version_are_left_alone(dataset):
    values = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps({**values, "licence": "unknown"}))
    assert read_schema(dataset).label_names == ["0", "1"]
