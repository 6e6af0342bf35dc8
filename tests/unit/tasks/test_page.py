"""The tables of options in docs/tasks.md are made from the tasks; `make golden` writes them."""

from __future__ import annotations

from functools import partial

from sparse_core.errors import plain
from sparse_core.tasks import TASKS, task_class
from tests.generated import require_current, table


def options_of(task):
    rows = []
    for name, field in task_class(task).options_class.model_fields.items():
        default = f"`{plain(field.default)}`" if field.default not in (None, "", ()) else "empty"
        rows.append([f"`{name}`", default, field.description])
    return table(["option", "default", "meaning"], rows)


def test_the_page_has_every_option():
    require_current("tasks.md", {f"options of {task}": partial(options_of, task) for task in TASKS})
