"""Scores of whole entities in sequences of tags, by the rules of seqeval's default mode and of conlleval before it.

A tag is a prefix and a type, such as `B-PER`. `B` starts an entity, `I` is inside of one, `E` ends one, `S` is one of a
single token, `O` is outside. The reading is lenient: what cannot go on with an entity starts one, so an `I-PER` after
`O`, or after `I-LOC`, is the first token of a person. An entity is right when type, first and last token are.

Source: Tjong Kim Sang and De Meulder 2003, "Introduction to the CoNLL-2003 Shared Task"; the order of first letters and
separators that seqeval 1.2 accepts. Two things differ from seqeval. A tag without a prefix is a type by itself (seqeval
takes its first letter off, and with it all of `ORG` for outside), and BILOU's `L` and `U` mean `E` and `S`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NO_TYPE = "_"
"""Type of tags that are a prefix alone."""

_OUTSIDE = "O"
_PREFIXED = re.compile(r"([BIESLUO])(?:[-_](.*))?", re.DOTALL)
_BILOU = {"L": "E", "U": "S"}
_OPEN = ("B", "I")
"""Prefixes of tags after which an entity can go on."""
_JOINING = ("I", "E")
"""Prefixes of tags that go on with an entity of their type."""


@dataclass(frozen=True, slots=True)
class EntityCounts:
    """Entities of one type, or of several together.

    Attributes:
        correct: predicted ones that are in the data.
        predicted: all predicted ones.
        true: those in the data.
    """

    correct: int = 0
    predicted: int = 0
    true: int = 0

    def __add__(self, other: EntityCounts) -> EntityCounts:
        """The counts of both together."""
        return EntityCounts(self.correct + other.correct, self.predicted + other.predicted, self.true + other.true)

    @property
    def precision(self) -> float:
        """Share of the predicted ones that is correct; 0 where none is predicted."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the true ones that is found; 0 where there are none."""
        return self.correct / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 where there are neither predicted nor true ones."""
        both = self.predicted + self.true
        return 2 * self.correct / both if both else 0.0


def split_tag(tag: str) -> tuple[str, str]:
    """Prefix, one of B, I, E, S and O, and type of a tag; a tag without a prefix is inside of what it names."""
    match = _PREFIXED.fullmatch(tag)
    if match is None:
        return "I", tag
    prefix, kind = match.groups()
    return _BILOU.get(prefix, prefix), kind or NO_TYPE


def inside_of(tag: str) -> str:
    """The tag of an entity's further tokens where `tag` is that of its first: `I-PER` for `B-PER`; others as they are.

    Examples:
        >>> inside_of("B-PER"), inside_of("B"), inside_of("NN")
        ('I-PER', 'I', 'NN')
    """
    return "I" + tag[1:] if split_tag(tag)[0] == "B" else tag


def count_entities(
    true: np.ndarray, predicted: np.ndarray, sentences: np.ndarray, tags: Sequence[str]
) -> dict[str, EntityCounts]:
    """Compares the entities of two sequences of tags.

    Args:
        true: index of each token's tag in the data; int (tokens,).
        predicted: index of each token's predicted tag; int (tokens,).
        sentences: number of the sentence that each token is in, those of a sentence side by side; int (tokens,).
            Entities end with their sentence.
        tags: the names that the indices stand for.

    Returns:
        Counts of each type that is in either, sorted by name.
    """
    import numpy as np

    scheme = _Scheme(tags)
    starts, ends, types = scheme.entities(true, sentences)
    other_starts, other_ends, other_types = scheme.entities(predicted, sentences)
    _, at, other_at = np.intersect1d(starts, other_starts, assume_unique=True, return_indices=True)
    is_same = (ends[at] == other_ends[other_at]) & (types[at] == other_types[other_at])

    def counts(which: np.ndarray) -> list[int]:
        return np.bincount(which, minlength=len(scheme.types)).tolist()

    columns = (counts(types[at][is_same]), counts(other_types), counts(types))
    by_type = {name: EntityCounts(*row) for name, *row in zip(scheme.types, *columns, strict=True)}
    return {name: count for name, count in by_type.items() if count.predicted or count.true}


class _Scheme:
    """What tags mean, as arrays over their indices, so that a whole split is read at once."""

    def __init__(self, tags: Sequence[str]) -> None:
        import numpy as np

        parts = [split_tag(tag) for tag in tags]
        self.types = sorted({kind for prefix, kind in parts if prefix != _OUTSIDE})
        self._is_inside = np.array([prefix != _OUTSIDE for prefix, _ in parts])
        self._is_open = np.array([prefix in _OPEN for prefix, _ in parts])
        self._joins = np.array([prefix in _JOINING for prefix, _ in parts])
        self._type = np.array([self.types.index(kind) if prefix != _OUTSIDE else -1 for prefix, kind in parts])

    def entities(self, indices: np.ndarray, sentences: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """First and last token of each entity, and the index of its type; int (entities,), in order."""
        import numpy as np

        types, is_inside = self._type[indices], self._is_inside[indices]
        goes_on = np.zeros(len(indices) + 1, dtype=bool)  # with the entity of the token before
        goes_on[1:-1] = (
            self._is_open[indices[:-1]]
            & self._joins[indices[1:]]
            & (types[:-1] == types[1:])
            & (sentences[:-1] == sentences[1:])
        )
        starts = np.flatnonzero(is_inside & ~goes_on[:-1])
        ends = np.flatnonzero(is_inside & ~goes_on[1:])
        return starts, ends, types[starts]
