"""A split in the Arrow files of the `datasets` library as a source of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sparse_core.errors import DataError, Place, Text
from sparse_core.sources.data.arrow import require_pyarrow
from sparse_core.sources.data.class_names import name_classes
from sparse_core.sources.data.rows import DATASET_SETTING, Row, with_row

_ROWS_IN_BATCH = 1000


@dataclass(frozen=True)
class ArrowSplit:
    """One split.

    Attributes:
        name: the data set and the split.
        paths: Arrow IPC streams with the rows, in order.
        classes: column -> names of its classes, from `class_names.declared_classes`.
    """

    name: str
    paths: tuple[Path, ...]
    classes: Mapping[str, list[str]] = field(default_factory=dict)

    @property
    def setting(self) -> str:
        """The setting by which users name data sets."""
        return DATASET_SETTING

    @property
    def size_bytes(self) -> int:
        """Size of the files."""
        return sum(path.stat().st_size for path in self.paths)

    def rows(self) -> Iterator[Row]:
        """The rows from first to last, with names of classes in place of their indices.

        The files are read and not mapped into memory, because each mapped page would count as memory of the process.

        Raises:
            DataError: a file is missing or damaged, there are no rows, or an index is beyond the declared names.
        """
        pa = require_pyarrow()
        number = 0
        for path in self.paths:
            try:
                with pa.OSFile(str(path), "rb") as stream, pa.ipc.open_stream(stream) as reader:
                    for batch in reader:
                        for start in range(0, len(batch), _ROWS_IN_BATCH):
                            for values in batch.slice(start, _ROWS_IN_BATCH).to_pylist():
                                number += 1
                                row = Row(number, 0, values)
                                name_classes(row, self.classes, self.error)
                                yield row
            except (pa.ArrowException, OSError) as error:
                problem = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
                raise self.error(
                    f"{path} is damaged after row {number} ({problem})", fix="save the data set again"
                ) from None
        if number == 0:
            raise self.error("the split has no rows")

    def label_names(self, column: str) -> list[str] | None:
        """Names of the classes of a column in the order of their indices, where it declares them."""
        return self.classes.get(column)

    def error(self, problem: Text, row: Row | None = None, *, accepted: str = "", fix: Text = "") -> DataError:
        """An error about the split, or about a row of it."""
        return DataError(self.setting, with_row(problem, row), accepted=accepted, fix=fix, place=Place(self.name))
