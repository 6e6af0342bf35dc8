"""What a Dataset artifact says of itself."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from sparse_core.errors import DataError

SCHEMA_FILE = "dataset.json"


class DatasetSchema(BaseModel):
    """Content of `dataset.json`; the splits beside it are Arrow streams of the columns `text` and `label`."""

    model_config = ConfigDict(frozen=True)

    task: str
    text_columns: list[str]
    label_names: list[str]
    """Label of index i, as it was in the data file."""
    num_rows: dict[str, int]
    source_columns: dict[str, str] = {}
    """Normalized column -> the column of the data file that it was made from."""


def read_schema(dataset: Path) -> DatasetSchema:
    """The schema of a Dataset artifact.

    Raises:
        DataError: the directory is no Dataset artifact.
    """
    path = dataset / SCHEMA_FILE
    if not path.is_file():
        raise DataError(f"dataset: {dataset} has no {SCHEMA_FILE}; give the output of fetch_dataset")
    try:
        return DatasetSchema.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, json.JSONDecodeError) as error:
        raise DataError(f"dataset: {path} cannot be read ({error}); run fetch_dataset again") from None
