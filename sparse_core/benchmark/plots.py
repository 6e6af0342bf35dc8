"""The report's plots, each as the text of one inline SVG element without any outside reference."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts.report_parts import RecipeSpan
from sparse_core.benchmark.plot_data import LatencyBar, Point, SizePoint, SparsityBars, TrainingCurves
from sparse_core.benchmark.summary import significant
from sparse_core.errors import DependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = ("#9aa5b1", "#5b9a8b", "#23527c", "#b58a4c", "#8a5a83", "#7ba3c7", "#a5544a", "#6b7a3a")
"""One for each candidate."""
_KIND_COLOURS = ("#23527c", "#4a7ba6", "#7ba3c7", "#aac6de", "#5b9a8b", "#94c0b4", "#b58a4c", "#d6b98c")
_INK = "#1f2933"
_MUTED = "#66727f"
_FAINT = "#dfe4e9"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.parse_math": False,  # a name may hold dollar signs
    "text.color": _INK,
    "axes.edgecolor": "#c3cad1",
    "axes.labelcolor": _MUTED,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titlecolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#eceff2",
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}
_WIDTH_INCHES = 9.6
_XMLNS = re.compile(r'\sxmlns(:\w+)?="[^"]*"')


def require_matplotlib() -> None:
    """Fails early where plots could not be drawn.

    Raises:
        DependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise DependencyError(
            "",
            "the report's plots need matplotlib, which is not installed",
            fix="pip install 'sparse-pipelines[benchmark]'",
        ) from None


def colours_of(names: Sequence[str]) -> dict[str, str]:
    """A colour for each candidate, the same in all plots of a report."""
    return {name: _COLOURS[index % len(_COLOURS)] for index, name in enumerate(names)}


def _render(
    name: str, height_inches: float, draw: Callable[[Any], None], num_rows: int = 1, num_columns: int = 1, **layout: Any
) -> str:
    """SVG text of the figure whose axes, an array of (num_rows, num_columns), `draw` has filled.

    `name` keeps the ids of several plots on one page apart.
    """
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    buffer = io.StringIO()
    with matplotlib.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The reader's browser has fonts for the letters that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # Figure instead of pyplot: no global state, no display.
        figure = Figure(
            figsize=(_WIDTH_INCHES, height_inches), layout=ConstrainedLayoutEngine(hspace=0.06, wspace=0.04)
        )
        draw(figure.subplots(num_rows, num_columns, squeeze=False, **layout))
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    # Inside HTML the parser knows SVG, so the XML prologue and the namespace addresses have no use.
    return _XMLNS.sub("", text[text.index("<svg") :])


def latency_plot(panels: Mapping[tuple[int, int], Sequence[LatencyBar]], colours: Mapping[str, str]) -> str:
    """One panel for each input shape: a bar up to the median, and a line from there to the 95th percentile."""
    num_columns = 2 if len(panels) > 1 else 1
    num_rows = -(-len(panels) // num_columns)
    bars_per_panel = max(len(bars) for bars in panels.values())

    def draw(axes: Any) -> None:
        for axis, (shape, bars) in zip(axes.flat, panels.items(), strict=False):
            _draw_latency_panel(axis, shape, bars, colours)
        for axis in axes.flat[len(panels) :]:
            axis.set_visible(False)

    return _render("latency", (0.85 + 0.3 * bars_per_panel) * num_rows, draw, num_rows, num_columns, sharey=True)


def _draw_latency_panel(
    axis: Axes, shape: tuple[int, int], bars: Sequence[LatencyBar], colours: Mapping[str, str]
) -> None:
    positions = range(len(bars))
    axis.barh(positions, [bar.p50_ms for bar in bars], 0.62, color=[colours[bar.candidate] for bar in bars])
    for position, bar in zip(positions, bars, strict=True):
        axis.plot([bar.p50_ms, bar.p95_ms], [position, position], color=_INK, linewidth=1)
        axis.plot([bar.p95_ms], [position], color=_INK, marker="|", markersize=6)
        axis.annotate(
            f"{significant(bar.p50_ms)} / {significant(bar.p95_ms)}",
            (bar.p95_ms, position),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
            color=_MUTED,
        )
    axis.set_yticks(positions, [bar.label for bar in bars])
    axis.set_ylim(len(bars) - 0.5, -0.5)
    axis.set_xlim(0, max(bar.p95_ms for bar in bars) * 1.28)
    axis.grid(False, axis="y")
    axis.set_title(f"batch {shape[0]}, sequence {shape[1]}  (ms)")


def sparsity_plot(bars: SparsityBars) -> str:
    """Groups of bars from 0 to 100 % zeros, one group per encoder layer."""

    def draw(axes: Any) -> None:
        axis = axes[0, 0]
        left = 0.0
        centres = []
        for group in bars.groups:
            kinds = [kind for kind in bars.kinds if (group, kind) in bars.values]
            positions = [left + index for index in range(len(kinds))]
            for position, kind in zip(positions, kinds, strict=True):
                colour = _KIND_COLOURS[bars.kinds.index(kind) % len(_KIND_COLOURS)]
                axis.bar(position, 100 * bars.values[group, kind], 0.86, color=colour)
            centres.append(left + (len(kinds) - 1) / 2)
            left += len(kinds) + 1
        axis.set_xticks(centres, [f"layer {group}" if group.isdigit() else group for group in bars.groups])
        axis.set_ylim(0, 100)
        axis.set_ylabel("zeros, %")
        axis.grid(False, axis="x")
        _draw_kind_legend(axis, bars.kinds)

    return _render("sparsity", 3.0, draw)


def _draw_kind_legend(axis: Axes, kinds: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(color=_KIND_COLOURS[index % len(_KIND_COLOURS)], label=kind) for index, kind in enumerate(kinds)]
    axis.legend(handles=patches, loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8.5, handlelength=0.9)


def training_plot(
    curves: Sequence[TrainingCurves], timeline: Sequence[RecipeSpan], metric: str, colours: Mapping[str, str]
) -> str:
    """Loss and evaluation metric of each training by epoch, above the recipe's modifiers."""
    heights = [2.3, 2.3, 0.3 + 0.24 * len(timeline)] if timeline else [2.3, 2.3]

    def draw(axes: Any) -> None:
        loss_axis, metric_axis = axes[0, 0], axes[1, 0]
        for curve in curves:
            colour = colours[curve.name]
            _draw_curve(loss_axis, curve.train_loss, colour, "--", f"{curve.name}, training")
            _draw_curve(loss_axis, curve.eval_loss, colour, "-", f"{curve.name}, validation")
            _draw_curve(metric_axis, curve.eval_metric, colour, "-", curve.name)
        loss_axis.set_title("loss")
        metric_axis.set_title(f"{metric} on the validation split")
        for axis in (loss_axis, metric_axis):
            if axis.lines:
                axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8.5)
        if timeline:
            _draw_timeline(axes[2, 0], timeline)
        axes[-1, 0].set_xlabel("epoch")
        axes[-1, 0].set_xlim(left=0)

    return _render("training", sum(heights) + 0.5, draw, len(heights), sharex=True, height_ratios=heights)


def _draw_curve(axis: Axes, points: Sequence[Point], colour: str, line_style: str, label: str) -> None:
    if points:
        epochs, values = zip(*points, strict=True)
        marker = "o" if line_style == "-" or len(points) == 1 else None  # there are many points of a training loss
        axis.plot(epochs, values, line_style, color=colour, marker=marker, markersize=3.5, linewidth=1.5, label=label)


def _draw_timeline(axis: Axes, timeline: Sequence[RecipeSpan]) -> None:
    for row, span in enumerate(timeline):
        axis.barh(row, span.end_epoch - span.start_epoch, 0.6, left=span.start_epoch, color=_FAINT)
    axis.set_yticks(range(len(timeline)), [span.name for span in timeline], fontsize=8.5)
    axis.invert_yaxis()
    axis.grid(False, axis="y")
    axis.set_title("recipe")


def accuracy_size_plot(points: Sequence[SizePoint], metric: str, colours: Mapping[str, str]) -> str:
    """Score over file size: a filled dot for the raw file, a hollow one for the gzipped file, joined by a line."""

    def draw(axes: Any) -> None:
        axis = axes[0, 0]
        for point in points:
            colour, accuracy = colours[point.candidate], point.accuracy
            axis.plot([point.gzip_mb, point.raw_mb], [accuracy, accuracy], color=colour, linewidth=1.2, zorder=2)
            label = f"{point.candidate}, {accuracy:.4f}"
            axis.scatter([point.raw_mb], [accuracy], s=64, color=colour, zorder=3, label=label)
            axis.scatter([point.gzip_mb], [accuracy], s=64, facecolor="white", edgecolor=colour, zorder=3)
        axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8.5)
        axis.margins(x=0.08, y=0.3)
        axis.set_xlim(left=0)
        axis.set_xlabel("file size, MB (filled: raw; hollow: gzipped)")
        axis.set_ylabel(metric)

    return _render("accuracy-size", 2.9, draw)
