"""The seam for object storage."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparse_core.errors import SparseCoreError
from sparse_core.store import is_object, local_path


def test_a_path_is_itself(monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    assert local_path("train_file", "a/../b.csv") == Path("a/../b.csv")
    assert local_path("train_file", "~/b.csv") == Path("/home/me/b.csv")
    assert not is_object("s3/b.csv")


@pytest.mark.parametrize("uri", ["s3://bucket/b.csv", "S3://bucket/b.csv"])
def test_an_object_is_refused_with_the_way_out(uri):
    assert is_object(uri)
    with pytest.raises(SparseCoreError) as caught:
        local_path("train_file", uri)
    assert str(caught.value) == (
        f"train_file: {uri} is in object storage, which this version cannot read; copy it to this machine, for example "
        "with `aws s3 cp --recursive`, and give the path of the copy"
    )
