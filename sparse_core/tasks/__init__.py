"""Tasks: how data is read, made into batches, and scored."""

from __future__ import annotations

from sparse_core.errors import ConfigError, did_you_mean
from sparse_core.tasks.base import Task
from sparse_core.tasks.schema import DatasetSchema, read_schema
from sparse_core.tasks.text_classification import TextClassification
from sparse_core.tasks.tokens import require_same_tokenizer

TASKS: dict[str, Task] = {task.name: task for task in (TextClassification(),)}


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in TASKS:
        raise ConfigError(f"task: expected one of {', '.join(TASKS)}, got '{name}'{did_you_mean(name, TASKS)}")
    return TASKS[name]


__all__ = ["TASKS", "DatasetSchema", "Task", "get_task", "read_schema", "require_same_tokenizer"]
