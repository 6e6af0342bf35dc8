"""Task names, and what dataset.json may be."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from sparse_core.errors import ConfigError, DataError
from sparse_core.tasks import TASKS, Task, get_task, read_schema


def test_every_task_is_registered_under_its_name_and_has_its_primary_metric():
    for name, task_class in TASKS.items():
        task = get_task(name)
        assert isinstance(task, Task) and task.name == task_class.name == name and task.primary_metric


def test_an_unknown_task_names_the_nearest():
    with pytest.raises(ConfigError, match=r"^task: unknown task 'text_clasification'.*did you mean 'text_classific"):
        get_task("text_clasification")


def test_importing_the_tasks_loads_nothing_heavy():
    code = "import sys, sparse_core.tasks; print([m for m in ('torch','transformers','datasets') if m in sys.modules])"
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
    with pytest.raises(DataError, match=r"^dataset: .* has no dataset.json; make it with `sparse-core fetch_dataset`"):
        read_schema(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"task": "text_classification"}'])
def test_a_damaged_schema(dataset, content):
    (dataset / "dataset.json").write_text(content)
    with pytest.raises(DataError, match=r"dataset.json is damaged \(.*make it again with fetch_dataset"):
        read_schema(dataset)


def test_a_split_that_is_named_but_not_there(dataset):
    (dataset / "validation.arrow").unlink()
    with pytest.raises(DataError, match=r"has no validation.arrow, which its dataset.json names"):
        read_schema(dataset)


def test_further_keys_of_a_later_version_are_left_alone(dataset):
    values = json.loads((dataset / "dataset.json").read_text())
    (dataset / "dataset.json").write_text(json.dumps({**values, "licence": "unknown"}))
    assert read_schema(dataset).label_names == ["0", "1"]
