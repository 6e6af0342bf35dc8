"""Reads a Parquet file batch by batch, so that memory does not grow with the file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparse_core.errors import DataError
from sparse_core.sources.data.arrow import require_pyarrow
from sparse_core.sources.data.class_names import declared_classes, name_classes
from sparse_core.sources.data.rows import Row

_ROWS_IN_BATCH = 1000
_BUFFER_BYTES = 1 << 20  # without it a whole column of a row group is read at once
_METADATA_KEY = b"huggingface"


@dataclass(frozen=True)
class ParquetRows:
    """The rows of a Parquet file.

    Attributes:
        path: the file.
        error: makes an error about it.
    """

    path: Path
    error: Callable[..., DataError]

    @property
    def size_bytes(self) -> int:
        """Bytes of all columns before compression."""
        with self._file() as file:
            return sum(file.metadata.row_group(i).total_byte_size for i in range(file.metadata.num_row_groups))

    def label_names(self, column: str) -> list[str] | None:
        """Names of the classes of a column, where `datasets` wrote the file and knew them."""
        with self._file() as file:
            return _classes(file).get(column)

    def rows(self) -> Iterator[Row]:
        """The rows from first to last, class names in place of the indices that the file declares names for.

        Raises:
            DataError: the file is no whole Parquet file, or has two columns of one name.
        """
        pa = require_pyarrow()
        number = 0
        try:
            with self._file() as file:
                classes = _classes(file)
                for batch in file.iter_batches(_ROWS_IN_BATCH):
                    for values in batch.to_pylist():
                        number += 1
                        row = Row(number, 0, values)
                        name_classes(row, classes, self.error)
                        yield row
        except (pa.ArrowException, OSError) as error:
            raise self.error(f"damaged after row {number} ({_first_line(error)})", fix="copy it again") from None
        except UnicodeDecodeError:
            raise self.error(f"a text after row {number} is not UTF-8", fix="write the column as strings") from None

    def _file(self) -> Any:
        pa = require_pyarrow()
        from pyarrow import parquet

        try:
            file = parquet.ParquetFile(self.path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise self.error(f"not a whole Parquet file ({_first_line(error)})", fix="copy it again") from None
        names = file.schema_arrow.names
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise self.error(f"the column '{repeated[0]}' appears more than once", fix="rename one")
        return file


def _classes(file: Any) -> dict[str, list[str]]:
    """What the metadata that `datasets` writes into its Parquet files declares."""
    text = (file.schema_arrow.metadata or {}).get(_METADATA_KEY)
    if text is None:
        return {}
    try:
        return declared_classes(json.loads(text)["info"]["features"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
