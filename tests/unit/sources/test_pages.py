"""The tables of docs/data.md and docs/models.md that repeat code are made from it; `make golden` writes them."""

from __future__ import annotations

import pytest

from sparse_core.sources.data.glue import NAMED_TASKS
from sparse_core.sources.data.hub_names import HUB_NAMES
from sparse_core.sources.zoo.table import DEFAULT_RECIPE, MODELS, RECIPES
from tests.generated import code, require_current, table


def hub_names():
    rows = [
        [f"`{name}`", f"`{place.hub_id}`", code(filter(None, [place.config])), code(filter(None, [place.revision]))]
        for name, place in HUB_NAMES.items()
    ]
    return table(["name", "read from", "configuration", "revision"], rows)


def named_tasks():
    rows = [
        [f"`{name}`", code(task.text_column.split(",")), code(task.metrics), task.problem_type.replace("_", " ")]
        for name, task in NAMED_TASKS.items()
    ]
    return table(["`task_name`", "columns", "scores, the main one first", "kind of label"], rows)


def zoo_models():
    return table(["model", "read from"], [[f"`zoo:{stub}`", f"`{hub_id}`"] for stub, hub_id in MODELS.items()])


def zoo_recipes():
    rows = [
        [f"`zoo:{stub}`", f"`{recipe}`" if kind == DEFAULT_RECIPE else f"`?recipe_type={kind}`: `{recipe}`"]
        for stub, recipes in RECIPES.items()
        for kind, recipe in recipes.items()
    ]
    return table(["recipe", "built-in recipe"], rows)


PAGES = {
    "data.md": {"hub names": hub_names, "named tasks": named_tasks},
    "models.md": {"stubs of models": zoo_models, "stubs of recipes": zoo_recipes},
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_the_code_says(page):
    require_current(page, PAGES[page])
