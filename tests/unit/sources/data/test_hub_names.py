"""The table of short names."""

from __future__ import annotations

import pytest

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
