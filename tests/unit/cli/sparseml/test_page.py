"""The tables of flags in docs/from-sparseml.md are made from the flags; `make golden` writes them."""

from __future__ import annotations

import dataclasses

from sparse_core.cli.sparseml.arguments import RecipeArguments
from sparse_core.cli.sparseml.export import ExportArguments
from sparse_core.tasks import task_commands
from sparse_core.training.old_arguments import ENVIRONMENT, IGNORED, RENAMED, RENAMED_VALUES
from tests.generated import require_current, table


def shown(value):
    return "" if value in (None, "") else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def flag_rows(cls):
    return [
        [f"`--{field.name}`", shown(field.default), field.metadata["help"].replace("|", "\\|")]
        for field in dataclasses.fields(cls)
    ]


def flags(part):
    """A table of one group of flags: which commands have each of them, its defaults and its help texts."""
    flags = {}
    for command in task_commands().values():
        for name, default, text in flag_rows(getattr(command, part)):
            flags.setdefault(name, {}).setdefault((default, text), []).append(command.task)
    rows = []
    for name, variants in flags.items():
        for (default, text), tasks in variants.items():
            all_tasks = len(tasks) == len(task_commands())
            rows.append([name, "all" if all_tasks else ", ".join(t.replace("_", " ") for t in tasks), default, text])
    return table(["flag", "tasks", "default", "meaning"], rows)


def renamed():
    rows = []
    for old, new in RENAMED.items():
        on, off = (f"`--{new.to} {value}`" if value else "" for value in (new.on, new.off))
        rows.append([f"`--{old}`", on + (f"; with `false`, {off}" if off else "") if on else f"`--{new.to}`"])
    for name, values in RENAMED_VALUES.items():
        rows += [[f"`--{name} {old}`", f"`--{name} {new}`"] for old, new in values.items()]
    rows += [[f"`--{old}`", f"the environment variable `{new}`"] for old, new in ENVIRONMENT.items()]
    return table(["old flag", "is read as"], rows)


def ignored():
    return table(["flag without effect", "reason"], [[f"`--{name}`", reason] for name, reason in IGNORED.items()])


PARTS = {
    "model flags": lambda: flags("model"),
    "data flags": lambda: flags("data"),
    "recipe flags": lambda: table(["flag", "default", "meaning"], flag_rows(RecipeArguments)),
    "export flags": lambda: table(["flag", "default", "meaning"], flag_rows(ExportArguments)),
    "renamed flags": renamed,
    "flags without effect": ignored,
}


def test_the_page_has_every_flag():
    require_current("from-sparseml.md", PARTS)
