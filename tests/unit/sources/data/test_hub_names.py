"""The table of short names."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparse_core.sources.data.glue import NAMED_TASKS
from sparse_core.sources.data.hub_names import HUB_NAMES, PARQUET_REVISION, HubLocation, locate


def test_every_name_has_a_namespaced_id():
    assert all(location.hub_id.count("/") == 1 for location in HUB_NAMES.values())
    scripts = {name for name, location in HUB_NAMES.items() if location.revision == PARQUET_REVISION}
    assert scripts == {"conll2003", "sick", "wnut_17"}


@pytest.mark.parametrize(
    ("name", "revision", "expected"),
    [
        ("squad", "", HubLocation("rajpurkar/squad")),
        ("squad", "v1", HubLocation("rajpurkar/squad", "v1")),
        ("wnut_17", "", HubLocation("leondz/wnut_17", PARQUET_REVISION, "wnut_17")),
        ("wnut_17", PARQUET_REVISION, HubLocation("leondz/wnut_17", PARQUET_REVISION, "wnut_17")),
        ("wnut_17", "main", HubLocation("leondz/wnut_17", "main")),
        ("leondz/wnut_17", "", HubLocation("leondz/wnut_17", PARQUET_REVISION, "wnut_17")),
        ("leondz/wnut_17", "main", HubLocation("leondz/wnut_17", "main")),
        ("mine/wnut_17", "", HubLocation("mine/wnut_17")),
        ("mine/wnut_17", "v1", HubLocation("mine/wnut_17", "v1")),
        ("nyu-mll/glue", "", HubLocation("nyu-mll/glue")),
        ("wikitext", "", HubLocation("wikitext")),
    ],
)
def test_where_a_name_is_read(name, revision, expected):
    assert locate(name, revision) == expected


def test_the_docs_list_every_name():
    page = (Path(__file__).parents[4] / "docs" / "data.md").read_text(encoding="utf-8")
    hub, _, tasks = page.partition("## Built-in tasks")
    for name, location in HUB_NAMES.items():
        line = next(line for line in hub.splitlines() if line.startswith("|") and f"`{name}`" in line)
        assert f"`{location.hub_id}`" in line
        assert (PARQUET_REVISION in line) == (location.revision == PARQUET_REVISION)
    for name, task in NAMED_TASKS.items():
        line = next(line for line in tasks.splitlines() if line.startswith("|") and f"`{name}`" in line)
        assert all(f"`{column}`" in line for column in task.text_column.split(","))
        assert all(f"`{metric}`" in line for metric in task.metrics)
