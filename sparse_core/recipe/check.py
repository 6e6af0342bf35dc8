"""What a recipe would do to a model, without training it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparse_core.errors import RecipeError, SparseCoreError
from sparse_core.modifiers.base import Modifier
from sparse_core.recipe.schedule import epoch_range
from sparse_core.recipe.schema import Recipe, named_fields
from sparse_core.recipe.show import format_table

if TYPE_CHECKING:
    from torch import nn

_NUM_EXAMPLES = 3


@dataclass(frozen=True)
class CheckRow:
    """What one modifier would touch in the model."""

    modifier: str
    epochs: str
    matched: tuple[str, ...] | None
    """Names of the parameters; None for a modifier that touches none, such as a learning rate, or that cannot run."""
    problem: SparseCoreError | None = None
    """Why the modifier cannot run on this model."""
    notes: tuple[str, ...] = ()
    """One sentence for each setting that changes nothing on this model."""


def check_recipe(recipe: Recipe, model: nn.Module) -> list[CheckRow]:
    """One row for each modifier of the recipe, in its order; the model is only read."""
    return [_row(modifier, recipe, model) for modifier in recipe.modifiers]


def format_check(rows: Sequence[CheckRow]) -> str:
    """The rows as a table, and below it every problem and note in full."""
    table = [("modifier", "epochs", "touches", "such as")]
    for row in rows:
        examples = ", ".join((row.matched or ())[:_NUM_EXAMPLES])
        more = ", ..." if row.matched and len(row.matched) > _NUM_EXAMPLES else ""
        table.append((row.modifier, row.epochs, _touches(row), examples + more))
    lines = []
    for row in rows:
        lines += [str(row.problem)] if row.problem is not None else []
        lines += [f"{row.modifier}.{note}" for note in row.notes]
    return format_table(table) + "\n" + "".join(f"\n{line}" for line in lines) + ("\n" if lines else "")


def _row(modifier: Modifier, recipe: Recipe, model: nn.Module) -> CheckRow:
    name, epochs, notes = type(modifier).__name__, epoch_range(modifier, recipe), tuple(modifier.model_notes(model))
    try:
        with named_fields(type(modifier)):
            matched = modifier.matched_parameters(model)
    except RecipeError as error:
        return CheckRow(name, epochs, None, problem=error, notes=notes)
    return CheckRow(name, epochs, None if matched is None else tuple(matched), notes=notes)


def _touches(row: CheckRow) -> str:
    if row.problem is not None:
        return "cannot run"
    if row.matched is None:
        return "no parameter"
    return f"{len(row.matched)} parameter{'' if len(row.matched) == 1 else 's'}"
