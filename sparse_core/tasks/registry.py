"""Names of the tasks and the classes that they stand for: the one place to add a task."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.errors import ConfigError, listed, nearest
from sparse_core.tasks.base import Task
from sparse_core.tasks.command import TaskCommand

_CLASSES = {
    "masked_language_modeling": "MaskedLanguageModeling",
    "question_answering": "QuestionAnswering",
    "text_classification": "TextClassification",
    "token_classification": "TokenClassification",
}
"""Name of the task, which is also the name of its folder, and the class in `task.py` there."""

TASKS = tuple(_CLASSES)
"""Names of all tasks."""


def task_class(name: str) -> type[Task]:
    """The class of a task.

    Raises:
        ConfigError: there is no such task.
    """
    if name not in _CLASSES:
        raise ConfigError("task", accepted=f"one of {listed(TASKS)}", got=name, fix=nearest(name, TASKS))
    return getattr(import_module(f"sparse_core.tasks.{name}.task"), _CLASSES[name])


def task_commands() -> dict[str, TaskCommand]:
    """The training command of each task, by the task's name."""
    return {name: import_module(f"sparse_core.tasks.{name}.command").COMMAND for name in TASKS}


def get_task(name: str, task_args: Mapping[str, Any] | None = None) -> Task:
    """The task of that name with the user's options.

    Args:
        name: one of TASKS.
        task_args: values of the task's options; those that are not given have their defaults.

    Raises:
        ConfigError: there is no such task, or an option is unknown or out of range.
    """
    return task_class(name)(task_args)


def task_of(schema: DatasetSchema) -> Task:
    """The task that a data set is for, with the options that the data set was made with."""
    return get_task(schema.task, schema.task_args)
