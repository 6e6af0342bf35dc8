"""A dataset artifact is read only when it is whole."""

from __future__ import annotations

import json

import pytest

from sparse_core.artifacts.dataset import SCHEMA_NAME, DatasetSchema, read_schema, split_path
from sparse_core.errors import DataError

SCHEMA = DatasetSchema("text_classification", {"text": "sentence", "label": "y"}, ["0", "1"], {"train": 3}, {"a": 1})


@pytest.fixture
def dataset(tmp_path):
    SCHEMA.write(tmp_path)
    split_path(tmp_path, "train").write_bytes(b"")
    return tmp_path


def test_a_schema_is_read_as_it_was_written(dataset):
    assert read_schema(dataset) == SCHEMA
    assert SCHEMA.num_labels == 2
    assert list(read_schema(dataset).source_columns) == ["text", "label"]


@pytest.mark.parametrize("text", ["{", "[]", "{}", json.dumps({"task": "x", "num_rows": {}})])
def test_a_damaged_schema_is_refused(dataset, text):
    (dataset / SCHEMA_NAME).write_text(text)
    with pytest.raises(DataError) as caught:
        read_schema(dataset)
    assert caught.value.setting == "dataset"


@pytest.mark.parametrize("missing", [SCHEMA_NAME, "train.arrow"])
def test_a_missing_file_is_named(dataset, missing):
    (dataset / missing).unlink()
    with pytest.raises(DataError, match=missing) as caught:
        read_schema(dataset)
    assert caught.value.setting == "dataset"
