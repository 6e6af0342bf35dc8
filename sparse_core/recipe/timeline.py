"""The timeline of a recipe as an SVG picture."""

from __future__ import annotations

import math
from html import escape

from sparse_core.modifiers.base import Modifier
from sparse_core.recipe.schedule import segments
from sparse_core.recipe.schema import Recipe

_LABEL_WIDTH, _PLOT_WIDTH, _ROW_HEIGHT, _BAR_HEIGHT, _MARGIN = 260, 640, 34, 20, 40
_WIDTH = _LABEL_WIDTH + _PLOT_WIDTH + _MARGIN
_ACTS_COLOR, _HOLDS_COLOR, _CURVE_COLOR, _TEXT_COLOR, _GRID_COLOR = "#4c78a8", "#a9c1dc", "#e45756", "#222", "#ddd"
_CURVE_POINTS = 240
_MAX_TICKS = 16


def timeline_svg(recipe: Recipe) -> str:
    """An SVG document: one row of bars for each modifier over the epochs, and the learning rate as a curve below."""
    rows = len(recipe.modifiers)
    plot_bottom = _MARGIN + rows * _ROW_HEIGHT
    curve = _learning_rate_curve(recipe, top=plot_bottom)
    bottom = plot_bottom + (2 * _ROW_HEIGHT if curve else 0)
    body = [_text(_LABEL_WIDTH, 18, f"{recipe.source}: epochs 0 to {recipe.num_epochs:g} (dark: acts, light: holds)")]
    body += _axis(recipe.num_epochs, bottom)
    for row, modifier in enumerate(recipe.modifiers):
        body += _row(modifier, recipe.num_epochs, _MARGIN + row * _ROW_HEIGHT)
    height = bottom + _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(body + curve)
        + "\n</svg>\n"
    )


def _x(epoch: float, num_epochs: float) -> float:
    return _LABEL_WIDTH + _PLOT_WIDTH * epoch / num_epochs


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{_TEXT_COLOR}" text-anchor="{anchor}">{escape(text)}</text>'


def _axis(num_epochs: float, bottom: float) -> list[str]:
    # A step of 1, 2 or 5 times a power of ten, the smallest that keeps the ticks apart.
    rough = num_epochs / _MAX_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    parts = []
    for number in range(int(num_epochs / step * (1 + 1e-9)) + 1):
        x = _x(number * step, num_epochs)
        parts.append(f'<line x1="{x:.1f}" y1="{_MARGIN - 8}" x2="{x:.1f}" y2="{bottom}" stroke="{_GRID_COLOR}"/>')
        parts.append(_text(x, bottom + 16, f"{number * step:g}", "middle"))
    return parts


def _row(modifier: Modifier, num_epochs: float, top: float) -> list[str]:
    parts = [_text(_LABEL_WIDTH - 10, top + 15, type(modifier).__name__, "end")]
    for segment in segments(modifier, num_epochs):
        start, end = _x(segment.start, num_epochs), _x(segment.end, num_epochs)
        color = _HOLDS_COLOR if segment.holds else _ACTS_COLOR
        title = f"{segment.phase}, epochs {segment.start:g} to {segment.end:g}"
        parts.append(
            f'<rect x="{start:.1f}" y="{top}" width="{max(end - start, 1.0):.1f}" height="{_BAR_HEIGHT}" '
            f'fill="{color}"><title>{escape(title)}</title></rect>'
        )
    return parts


def _learning_rate_curve(recipe: Recipe, top: float) -> list[str]:
    epochs = [recipe.num_epochs * number / _CURVE_POINTS for number in range(_CURVE_POINTS)]
    rates = [(epoch, rate) for epoch in epochs if (rate := recipe.learning_rate_at(epoch)) is not None]
    highest = max((rate for _, rate in rates), default=0.0)
    if highest == 0.0:
        return []
    height = 2 * _ROW_HEIGHT - 10
    points = " ".join(
        f"{_x(epoch, recipe.num_epochs):.1f},{top + height * (1 - rate / highest):.1f}" for epoch, rate in rates
    )
    return [
        _text(_LABEL_WIDTH - 10, top + 12, f"learning rate, at most {highest:g}", "end"),
        f'<polyline points="{points}" fill="none" stroke="{_CURVE_COLOR}" stroke-width="2"/>',
    ]
