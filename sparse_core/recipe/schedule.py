"""When each modifier of a recipe acts, as segments of epochs."""

from __future__ import annotations

from dataclasses import dataclass

from sparse_core.modifiers.base import UNSET_EPOCH, Modifier
from sparse_core.modifiers.pruning.magnitude import GMPruningModifier
from sparse_core.modifiers.quantization.modifier import QuantizationModifier
from sparse_core.recipe.schema import Recipe


@dataclass(frozen=True)
class Segment:
    """Epochs [start, end) in which a modifier does one thing; a holding segment keeps what an earlier one made."""

    start: float
    end: float
    phase: str
    holds: bool = False


def segments(modifier: Modifier, num_epochs: float) -> tuple[Segment, ...]:
    """What `modifier` does in a training of `num_epochs`, in order of epochs; empty when it never acts."""
    end = num_epochs if modifier.end_epoch == UNSET_EPOCH else modifier.end_epoch
    start = modifier.begins_at
    match modifier:
        case QuantizationModifier(disable_quantization_observer_epoch=float(frozen_at)):
            parts = [Segment(start, frozen_at, "measure ranges"), Segment(frozen_at, end, "ranges frozen", holds=True)]
        case GMPruningModifier(leave_enabled=True):
            parts = [Segment(start, end, "prune"), Segment(end, num_epochs, "hold the zeros", holds=True)]
        case _:
            parts = [Segment(start, end, modifier.description)]
    clipped = (Segment(part.start, min(part.end, num_epochs), part.phase, part.holds) for part in parts)
    return tuple(part for part in clipped if part.start < part.end)


def epoch_range(modifier: Modifier, recipe: Recipe) -> str:
    """The modifier's first and last epoch in words, such as "8 to 13"."""
    end = recipe.num_epochs if modifier.end_epoch == UNSET_EPOCH else modifier.end_epoch
    return f"{modifier.begins_at:g} to {end:g}"
