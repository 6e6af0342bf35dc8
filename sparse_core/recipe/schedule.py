"""When each modifier of a recipe acts, as segments of epochs."""

from __future__ import annotations

from sparse_core.modifiers.base import Modifier, Segment
from sparse_core.recipe.schema import Recipe


def segments(modifier: Modifier, num_epochs: float) -> tuple[Segment, ...]:
    """What `modifier` does in a training of `num_epochs`, in order of epochs; empty when it never acts."""
    clipped = (
        Segment(part.start, min(part.end, num_epochs), part.phase, part.holds) for part in modifier.segments(num_epochs)
    )
    return tuple(part for part in clipped if part.start < part.end)


def epoch_range(modifier: Modifier, recipe: Recipe) -> str:
    """The modifier's first and last epoch in words, such as "8 to 13"."""
    return f"{modifier.begins_at:g} to {modifier.ends_at(recipe.num_epochs):g}"
