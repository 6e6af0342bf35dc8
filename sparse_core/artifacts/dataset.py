"""The dataset artifact: splits as Arrow files, and `dataset.json`, which describes their rows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from sparse_core.errors import DataError
from sparse_core.store import write_json

SCHEMA_NAME = "dataset.json"


@dataclass(frozen=True)
class DatasetSchema:
    """Columns, labels, sizes and task of a data set.

    Attributes:
        task: the task that the rows are for.
        source_columns: normalized name -> name in the user's source, in the order of the Arrow columns.
        label_names: the labels in the order of their indices; empty where the task has none.
        num_rows: rows of each split.
        task_args: options of the task: those of the user and those that the data decides.
    """

    task: str
    source_columns: dict[str, str]
    label_names: list[str]
    num_rows: dict[str, int]
    task_args: dict[str, Any] = field(default_factory=dict)

    @property
    def num_labels(self) -> int:
        """Number of labels."""
        return len(self.label_names)

    def write(self, directory: Path) -> None:
        """Writes `dataset.json`."""
        write_json(directory / SCHEMA_NAME, asdict(self))


def split_path(dataset: Path, split: str) -> Path:
    """The Arrow stream file of a split."""
    return dataset / f"{split}.arrow"


def read_schema(dataset: Path) -> DatasetSchema:
    """Reads `dataset.json` of a Dataset artifact.

    Raises:
        DataError: the folder is no Dataset artifact, or a split that it lists is missing; the setting is dataset.
    """
    path = dataset / SCHEMA_NAME
    if not path.is_file():
        raise DataError(
            "dataset", f"{dataset} has no {SCHEMA_NAME}", fix="name the output of `sparse-core fetch_dataset`"
        )
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        schema = DatasetSchema(**{field.name: values[field.name] for field in fields(DatasetSchema)})
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("dataset", f"{path} is damaged ({error})", fix="make it again with fetch_dataset") from None
    for split in schema.num_rows:
        if not split_path(dataset, split).is_file():
            raise DataError(
                "dataset",
                f"{dataset} has no {split_path(dataset, split).name}, which {SCHEMA_NAME} lists",
                fix="make it again with fetch_dataset",
            )
    return schema
