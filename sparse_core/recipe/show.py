"""A recipe as text: its resolved settings as a table, and a timeline."""

from __future__ import annotations

from collections.abc import Sequence

from sparse_core.errors import plain
from sparse_core.modifiers.base import Modifier
from sparse_core.recipe.schedule import epoch_range, segments
from sparse_core.recipe.schema import Recipe

_TIMELINE_COLUMNS = 52
_ACTS, _HOLDS, _IDLE = "█", "▒", "·"


def show_recipe(recipe: Recipe) -> str:
    """The resolved recipe as text: a table of settings, the timeline, the variables and the warnings."""
    head = f"{recipe.source}: {recipe.num_epochs:g} epochs"
    parts = [head, settings_table(recipe), timeline_text(recipe)]
    if recipe.variables:
        parts.append(
            "\n  ".join(["variables", *(f"{name} = {plain(value)}" for name, value in recipe.variables.items())])
        )
    if recipe.warnings:
        parts.append("\n  ".join(["settings without effect", *recipe.warnings]))
    return "\n\n".join(parts) + "\n"


def settings_table(recipe: Recipe) -> str:
    """One row for each setting that has an effect; values that the recipe leaves out are marked as defaults."""
    rows = [("modifier", "epochs", "setting", "value")]
    for modifier in recipe.modifiers:
        first = (type(modifier).__name__, epoch_range(modifier, recipe))
        settings = _settings(modifier) or [("", "")]
        rows += [(*(first if number == 0 else ("", "")), *setting) for number, setting in enumerate(settings)]
    return format_table(rows)


def timeline_text(recipe: Recipe) -> str:
    """One bar for each modifier over the epochs of the recipe."""
    names = [type(modifier).__name__ for modifier in recipe.modifiers]
    width = max(len(name) for name in names)
    end = f"{recipe.num_epochs:g}"
    axis = f"{'epoch':<{width}}  0{end:>{_TIMELINE_COLUMNS - 1}}"
    bars = [f"{name:<{width}}  {_bar(m, recipe.num_epochs)}" for name, m in zip(names, recipe.modifiers, strict=True)]
    return "\n".join([axis, *bars, f"{'':<{width}}  {_ACTS} acts  {_HOLDS} holds what it made  {_IDLE} idle"])


def format_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text as aligned columns; the first row is the heading and is underlined."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _settings(modifier: Modifier) -> list[tuple[str, str]]:
    settings = []
    for name in type(modifier).model_fields:
        is_set = name in modifier.model_fields_set
        if name in ("start_epoch", "end_epoch") or (name in modifier.ineffective_fields and not is_set):
            continue
        value = getattr(modifier, name)
        text = "unset" if value is None else plain(value)
        settings.append((name, text if is_set else f"{text} (default)"))
    return settings


def _bar(modifier: Modifier, num_epochs: float) -> str:
    bar = [_IDLE] * _TIMELINE_COLUMNS
    for segment in segments(modifier, num_epochs):
        first = round(segment.start / num_epochs * _TIMELINE_COLUMNS)
        last = max(round(segment.end / num_epochs * _TIMELINE_COLUMNS), first + 1)
        bar[first:last] = [_HOLDS if segment.holds else _ACTS] * (min(last, _TIMELINE_COLUMNS) - first)
    return "".join(bar)
