"""report.html: the whole report as one page that opens without a network."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping
from importlib import resources
from typing import Any

from sparse_core.benchmark import plots
from sparse_core.benchmark.engines import REFERENCE_ENGINE
from sparse_core.benchmark.plot_data import (
    TimelineSpan,
    TrainingCurves,
    latency_panels,
    size_points,
    sparsity_bars,
    training_curves,
)
from sparse_core.benchmark.subjects import DENSE, DEPLOYED
from sparse_core.benchmark.summary import (
    describe_run,
    megabytes,
    metric_kept,
    score_text,
    significant,
    summary_rows,
)
from sparse_core.benchmark.tables import entity_table, verification_table

_TEMPLATE = "report.html.j2"


def render_html(report: Mapping[str, Any]) -> str:
    """The page for a report as `report.json` holds it (finite numbers only)."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"significant": significant, "megabytes": megabytes}
    source = resources.files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8")
    return environment.from_string(source).render(
        report=report,
        created=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(report["created_unix"])),
        run=describe_run(report),
        headline=headline(report),
        summary=[(group, list(rows)) for group, rows in itertools.groupby(summary_rows(report), lambda row: row.group)],
        plots={name: Markup(svg) for name, svg in draw_plots(report).items()},
        has_training_loss=any(curve.train_loss for curve in _training_curves(report)),
        entities=entity_table(report),
        verification=verification_table(report),
    )


def draw_plots(report: Mapping[str, Any]) -> dict[str, str]:
    """SVG text by plot name; a plot without numbers is left out."""
    metric = report["data"]["metric"]
    drawn = {}
    if points := size_points(report):
        drawn["accuracy_size"] = plots.accuracy_size_plot(points, metric)
    if panels := latency_panels(report["latency"]):
        drawn["latency"] = plots.latency_plot(panels)
    layers = report["models"][-1]["sparsity_by_layer"]
    if layers:
        drawn["sparsity"] = plots.sparsity_plot(sparsity_bars(layers))
    if curves := _training_curves(report):
        timeline = [TimelineSpan(**span) for span in report["timeline"]]
        drawn["training"] = plots.training_plot(curves, timeline, metric)
    return drawn


def _training_curves(report: Mapping[str, Any]) -> list[TrainingCurves]:
    metric = report["data"]["metric"]
    curves = [training_curves(run["name"], run["log_history"], metric) for run in report["training"]]
    return [curve for curve in curves if curve.train_loss or curve.eval_loss]


def headline(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The few figures to read first, each with what it says."""
    models = {model["variant"]: model for model in report["models"]}
    dense, deployed = models[DENSE], models[DEPLOYED]
    metric = report["data"]["metric"]
    values = {(row["variant"], row["engine"]): row["value"] for row in report["accuracy"]}
    before, after = values.get((DENSE, "torch")), values.get((DEPLOYED, REFERENCE_ENGINE))
    figures = []
    if (kept := metric_kept(report)) is not None:
        caption = f"of the dense {metric} kept: {score_text(after)} of {score_text(before)}"
        figures.append((f"{100 * kept:.1f} %", caption))
    elif after is not None:
        figures.append((score_text(after), f"{metric}; the dense model's is {score_text(before)}"))
    figures.append((f"{100 * deployed['encoder_sparsity']:.0f} %", "of the encoder's weights are zero"))
    figures.append(
        (
            f"{100 * deployed['raw_bytes'] / dense['raw_bytes']:.0f} %",
            f"of the dense file's size: {megabytes(deployed['raw_bytes'])} of {megabytes(dense['raw_bytes'])} MB; "
            f"{megabytes(deployed['gzip_bytes'])} MB gzipped",
        )
    )
    own = [row for row in report["latency"] if (row["variant"], row["engine"]) == (DEPLOYED, REFERENCE_ENGINE)]
    if own:
        row = own[-1]
        shape = f"batch {row['batch_size']}, sequence {row['sequence_length']}"
        figures.append((f"{row['speed_ratio']:.2f}×", f"the dense model's speed in {REFERENCE_ENGINE} at {shape}"))
    return figures
