"""Splits the rows of a source into training rows and validation rows."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from sparse_core.errors import DataError, Text
from sparse_core.sources.data.rows import Row, RowSource

_SEED = 42


@dataclass(frozen=True)
class Share:
    """The validation rows of a source, or its training rows; they keep their numbers.

    One of every 1 / ratio rows is drawn for validation, so that a file that is sorted by label has all labels in both
    parts. The drawn rows depend on the ratio alone, and no list of them is held.

    Attributes:
        source: all rows.
        ratio: share of the validation rows, above 0 and below 1.
        is_validation: whether these are the validation rows.
    """

    source: RowSource
    ratio: float
    is_validation: bool

    @property
    def setting(self) -> str:
        """The setting of the source."""
        return self.source.setting

    @property
    def name(self) -> str:
        """The name of the source."""
        return self.source.name

    @property
    def size_bytes(self) -> int:
        """The bytes of the source times the share."""
        return int(self.source.size_bytes * (self.ratio if self.is_validation else 1 - self.ratio))

    def rows(self) -> Iterator[Row]:
        """The rows of this part in their order.

        Raises:
            DataError: there are none; or see `RowSource.rows`.
        """
        drawn = _drawn(self.ratio)
        next_drawn = next(drawn)
        is_empty, index = True, -1
        for index, row in enumerate(self.source.rows()):
            is_drawn = index == next_drawn
            if is_drawn:
                next_drawn = next(drawn)
            if is_drawn == self.is_validation:
                is_empty = False
                yield row
        if is_empty:
            purpose = "for validation" if self.is_validation else "for training"
            raise DataError(
                "validation_ratio",
                f"{self.ratio} of the {index + 1} rows of {self.name} leaves none {purpose}",
                fix="give another ratio, or more rows",
            )

    def label_names(self, column: str) -> list[str] | None:
        """The names of classes that the source declares."""
        return self.source.label_names(column)

    def error(self, problem: Text, row: Row | None = None, *, accepted: str = "", fix: Text = "") -> DataError:
        """An error of the source."""
        return self.source.error(problem, row, accepted=accepted, fix=fix)


def cut(source: RowSource, validation_ratio: float) -> tuple[Share, Share]:
    """The training rows and the validation rows."""
    return Share(source, validation_ratio, is_validation=False), Share(source, validation_ratio, is_validation=True)


def _drawn(ratio: float) -> Iterator[int]:
    """One index of each stretch of 1 / ratio indices."""
    generator = random.Random(_SEED)
    number = 0
    while True:
        yield generator.randrange(math.ceil(number / ratio), math.ceil((number + 1) / ratio))
        number += 1
