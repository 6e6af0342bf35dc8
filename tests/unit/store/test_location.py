"""Where a location lies on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparse_core.errors import ConfigError
from sparse_core.store import is_object, local_path


def test_a_path_is_itself(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert local_path("a/../b.csv") == Path("a/../b.csv")
    assert local_path("~/b.csv") == Path("/home/me/b.csv")
    assert not is_object("s3/b.csv")


@pytest.mark.parametrize("location", ["s3://bucket/b.csv", "S3://bucket/b.csv", "minio://bucket/b.csv"])
def test_an_object_is_refused(location):
    assert is_object(location)
    with pytest.raises(ConfigError) as caught:
        local_path(location)
    assert caught.value.setting == "location"
