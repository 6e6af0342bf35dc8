"""Names of the tasks and the classes that they stand for: the one place to add a task."""

from __future__ import annotations

from sparse_core.errors import ConfigError, did_you_mean
from sparse_core.tasks.base import Task
from sparse_core.tasks.text_classification import TextClassification

TASKS: dict[str, type[Task]] = {cls.name: cls for cls in (TextClassification,)}


def get_task(name: str) -> Task:
    """The task of that name.

    Raises:
        ConfigError: there is none.
    """
    if name not in TASKS:
        raise ConfigError(f"task: unknown task '{name}'; accepted are {', '.join(TASKS)}{did_you_mean(name, TASKS)}")
    return TASKS[name]()
