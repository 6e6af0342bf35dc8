"""The names of classes that a column of `datasets` declares, in place of their indices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sparse_core.errors import DataError
from sparse_core.sources.data.rows import Row


def declared_classes(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Column -> names of its classes, for columns of classes and of lists of them.

    Args:
        features: `datasets.Features` as a dict, which is also how a Parquet file holds them.
    """
    classes = {}
    for column, feature in features.items():
        while isinstance(feature, Mapping) and feature.get("_type") in ("List", "LargeList", "Sequence"):
            feature = feature.get("feature")
        if isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel" and feature.get("names"):
            classes[column] = list(map(str, feature["names"]))
    return classes


def name_classes(row: Row, classes: Mapping[str, list[str]], error: Callable[[str, Row], DataError]) -> None:
    """Replaces the indices of classes in `row` by their names, and -1, which stands for no label, by None.

    Args:
        row: changed in place.
        classes: the result of `declared_classes`.
        error: makes an error about a row.

    Raises:
        DataError: an index is beyond the names.
    """
    for column, names in classes.items():
        try:
            row.values[column] = _to_names(row.values.get(column), names)
        except IndexError as problem:
            raise error(f"column '{column}' has {problem}", row) from None


def _to_names(value: Any, names: list[str]) -> Any:
    if value is None or value == -1:
        return None
    if isinstance(value, list):
        return [_to_names(item, names) for item in value]
    if not 0 <= value < len(names):
        raise IndexError(f"the class {value}, and the {len(names)} that it declares are 0 to {len(names) - 1}")
    return names[value]
