"""Every named task has the columns and scores of its publication, which the task of text classification accepts."""

from __future__ import annotations

import pytest

from sparse_core.sources.data.glue import NAMED_TASKS, task_on_hub
from sparse_core.tasks import get_task


@pytest.mark.parametrize("name", NAMED_TASKS)
def test_text_classification_takes_the_options(name):
    task = get_task("text_classification", NAMED_TASKS[name].task_args)
    assert list(task.options.metrics) == list(NAMED_TASKS[name].metrics)
    assert task.options.problem_type == ("regression" if name == "stsb" else "single_label_classification")


@pytest.mark.parametrize(
    ("name", "primary"),
    [("cola", "matthews_correlation"), ("mrpc", "accuracy"), ("stsb", "pearson"), ("mnli", "accuracy")],
)
def test_the_first_metric_is_the_one_to_compare_by(name, primary):
    assert get_task("text_classification", NAMED_TASKS[name].task_args).primary_metric == primary


def test_pairs_have_two_columns():
    pairs = {name for name, task in NAMED_TASKS.items() if "," in task.text_column}
    assert pairs == {"mrpc", "qqp", "stsb", "mnli", "qnli", "rte", "wnli"}


def test_only_glue_is_known_by_its_configuration():
    assert task_on_hub("nyu-mll/glue", "rte") is NAMED_TASKS["rte"]
    assert task_on_hub("nyu-mll/glue", "ax") is None
    assert task_on_hub("nyu-mll/glue", "imdb") is None
    assert task_on_hub("mine/glue", "rte") is None
