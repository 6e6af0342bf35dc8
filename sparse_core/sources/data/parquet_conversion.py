"""The hub's own conversion of a data set: `<config>/<split>/*.parquet`, without a script and without a card."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sparse_core.errors import DataError, Place, Text, listed, nearest
from sparse_core.sources.data.parquet_file import ParquetRows
from sparse_core.sources.data.rows import DATASET_SETTING, Row, with_row

DEFAULT_CONFIG = "default"
"""Name of the only configuration of a data set that names none."""


@dataclass(frozen=True)
class ParquetSplit:
    """A split in one or more Parquet files.

    Attributes:
        name: the data set and the split.
        paths: the files in order; at least one.
    """

    name: str
    paths: tuple[Path, ...]

    @property
    def setting(self) -> str:
        """The setting by which users name data sets."""
        return DATASET_SETTING

    @property
    def size_bytes(self) -> int:
        """Bytes of all columns before compression."""
        return sum(file.size_bytes for file in self._files())

    def rows(self) -> Iterator[Row]:
        """The rows of all files; their numbers go on from file to file.

        Raises:
            DataError: a file is not whole, or there are no rows.
        """
        number = 0
        for file in self._files():
            for row in file.rows():
                number += 1
                yield Row(number, 0, row.values)
        if number == 0:
            raise self.error("the split has no rows")

    def label_names(self, column: str) -> list[str] | None:
        """Names of the classes of a column in the order of their indices, where the files declare them."""
        return next(self._files()).label_names(column)

    def error(self, problem: Text, row: Row | None = None, *, accepted: str = "", fix: Text = "") -> DataError:
        """An error about the split, or about a row of it."""
        return DataError(self.setting, with_row(problem, row), accepted=accepted, fix=fix, place=Place(self.name))

    def _files(self) -> Iterator[ParquetRows]:
        for path in self.paths:
            split = ParquetSplit(f"{self.name}, {path.name}", (path,)) if len(self.paths) > 1 else self
            yield ParquetRows(path, split.error)


def configurations(directory: Path) -> list[str]:
    """Names of the configurations in a directory of this layout; none where it has another."""
    if not directory.is_dir() or (directory / "README.md").exists():
        return []
    return sorted({file.parents[1].name for file in directory.glob("*/*/*.parquet")})


def read_conversion(directory: Path, config: str, title: str) -> dict[str, ParquetSplit]:
    """The splits of a configuration.

    Args:
        directory: holds the configurations.
        config: one of them; empty: "default", or the only one.
        title: the data set as the user knows it.

    Raises:
        DataError: there is no such configuration; the setting is dataset_config_name.
    """
    names = configurations(directory)
    chosen = config or (names[0] if len(names) == 1 else DEFAULT_CONFIG)
    if chosen not in names:
        problem = f"{title} has no configuration '{config}'" if config else f"{title} has several configurations"
        accepted = f"one of {listed(names)}" if names else ""
        raise DataError("dataset_config_name", problem, accepted=accepted, fix=nearest(config, names))
    folders = sorted({file.parent for file in (directory / chosen).glob("*/*.parquet")})
    return {
        folder.name: ParquetSplit(f"{title}/{chosen}, split {folder.name}", tuple(sorted(folder.glob("*.parquet"))))
        for folder in folders
    }
