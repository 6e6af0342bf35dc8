"""Names of the tasks and the classes that they stand for: the one place to add a task."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.errors import ConfigError, did_you_mean
from sparse_core.tasks.base import Task

_CLASSES = {
    "masked_language_modeling": "MaskedLanguageModeling",
    "question_answering": "QuestionAnswering",
    "text_classification": "TextClassification",
    "token_classification": "TokenClassification",
}
"""Name of the task, which is also the name of its folder, and the class in `task.py` there."""

TASKS = tuple(_CLASSES)
"""Names of all tasks."""


def get_task(name: str, task_args: Mapping[str, Any] | None = None) -> Task:
    """The task of that name with the user's options.

    Args:
        name: one of TASKS.
        task_args: values of the task's options; those that are not given have their defaults.

    Raises:
        ConfigError: there is no such task, or an option is unknown or out of range.
    """
    if name not in _CLASSES:
        raise ConfigError(f"task: unknown task '{name}'; accepted are {', '.join(TASKS)}{did_you_mean(name, TASKS)}")
    task_class = getattr(import_module(f"sparse_core.tasks.{name}.task"), _CLASSES[name])
    return task_class(task_args)


def task_of(schema: DatasetSchema) -> Task:
    """The task that a data set is for, with the options that the data set was made with."""
    return get_task(schema.task, schema.task_args)


def parse_task_args(text: str) -> dict[str, Any]:
    """The JSON object in `text`; an empty text is an empty object.

    Raises:
        ConfigError: the text is not a JSON object.
    """
    if not text.strip():
        return {}
    try:
        options = json.loads(text)
    except ValueError:
        options = None
    if not isinstance(options, dict):
        raise ConfigError(f'task_args: expected a JSON object such as {{"doc_stride": 64}}, got {text!r:.80}')
    return options
