"""The tables of docs/data.md and docs/models.md that repeat code are made from it; `make golden` writes them."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from sparse_core.sources.data.glue import NAMED_TASKS
from sparse_core.sources.data.hub_names import HUB_NAMES
from sparse_core.sources.zoo.table import DEFAULT_RECIPE, MODELS, RECIPES

DOCS = Path(__file__).parents[3] / "docs"
_BLOCK = re.compile(r"<!-- generated: (?P<name>[^\n]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)


def table(header, rows):
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def code(names):
    return ", ".join(f"`{name}`" for name in names)


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


PARTS = {
    "hub names": hub_names,
    "named tasks": named_tasks,
    "stubs of models": zoo_models,
    "stubs of recipes": zoo_recipes,
}


def with_tables(page):
    return _BLOCK.sub(lambda match: block(match["name"]), page)


def block(name):
    return f"<!-- generated: {name} -->\n\n{PARTS[name]()}\n\n<!-- end of {name} -->"


@pytest.mark.parametrize(("name", "num_parts"), [("data.md", 2), ("models.md", 2)])
def test_a_page_says_what_the_code_says(name, num_parts):
    path = DOCS / name
    page = path.read_text(encoding="utf-8")
    assert len(_BLOCK.findall(page)) == page.count("<!-- generated: ") == num_parts
    if os.environ.get("GOLDEN_UPDATE"):
        page = with_tables(page)
        path.write_text(page, encoding="utf-8")
    assert page == with_tables(page), "run `make golden` and look at the difference"
