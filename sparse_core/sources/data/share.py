"""Cuts the rows of a source into a part to learn from and a part for validation."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from sparse_core.errors import DataError
from sparse_core.sources.data.rows import Row, RowSource

_SEED = 42


@dataclass(frozen=True)
class Share:
    """The rows of a source that are for validation, or the others; they keep their numbers.

    Of every 1 / ratio rows one is drawn, so that sources that are sorted by label give all of their labels to both
    parts. Which rows these are depends on the ratio only, and no list of them is kept.

    Attributes:
        source: all rows.
        ratio: share of the rows that are for validation, above 0 and below 1.
        is_validation: whether these are the rows for validation.
    """

    source: RowSource
    ratio: float
    is_validation: bool

    @property
    def setting(self) -> str:
        """The source's."""
        return self.source.setting

    @property
    def name(self) -> str:
        """The source's."""
        return self.source.name

    @property
    def size_bytes(self) -> int:
        """The share of the source's bytes."""
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
            purpose = "for validation" if self.is_validation else "to learn from"
            raise DataError(
                f"validation_ratio: {self.ratio} of the {index + 1} rows of {self.name} leaves none {purpose}; give "
                "another ratio, or more rows"
            )

    def label_names(self, column: str) -> list[str] | None:
        """The source's."""
        return self.source.label_names(column)

    def error(self, problem: str, row: Row | None = None) -> DataError:
        """The source's."""
        return self.source.error(problem, row)


def cut(source: RowSource, validation_ratio: float) -> tuple[Share, Share]:
    """The rows to learn from, and those for validation."""
    return Share(source, validation_ratio, is_validation=False), Share(source, validation_ratio, is_validation=True)


def _drawn(ratio: float) -> Iterator[int]:
    """An index out of each stretch of 1 / ratio indices."""
    generator = random.Random(_SEED)
    number = 0
    while True:
        yield generator.randrange(math.ceil(number / ratio), math.ceil((number + 1) / ratio))
        number += 1
