"""report.html: the whole report as one page that opens without a network."""

from __future__ import annotations

import itertools
import time
from importlib import resources

from sparse_core.artifacts.report import Report
from sparse_core.artifacts.report_parts import Candidate
from sparse_core.benchmark import plots
from sparse_core.benchmark.plot_data import (
    TrainingCurves,
    latency_panels,
    size_points,
    sparsity_bars,
    training_curves,
)
from sparse_core.benchmark.summary import describe_run, megabytes, percent, score_text, significant, summary_rows
from sparse_core.benchmark.tables import entity_table, verification_tables

_TEMPLATE = "report.html.j2"


def render_html(report: Report) -> str:
    """The page of a report."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"significant": significant, "megabytes": megabytes, "percent": percent}
    source = resources.files(__package__).joinpath(_TEMPLATE).read_text(encoding="utf-8")
    rows = summary_rows(report)
    return environment.from_string(source).render(
        report=report,
        subject=subject_of(report),
        trained=trained_by_recipe(report),
        created=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(report.created_unix)),
        run=describe_run(report),
        headline=headline(report),
        summary=[(group, list(members)) for group, members in itertools.groupby(rows, lambda row: row.group)],
        plots={name: Markup(svg) for name, svg in draw_plots(report).items()},
        has_training_loss=any(curve.train_loss for curve in _training_curves(report)),
        entities=entity_table(report),
        verifications=verification_tables(report),
    )


def subject_of(report: Report) -> Candidate:
    """The candidate that the headline is about: the last deployment, else the last one that is not the reference."""
    others = [candidate for candidate in report.candidates if candidate.name != report.reference]
    deployments = [candidate for candidate in others if candidate.kind == "deployment"]
    return [report.candidate(report.reference), *others, *deployments][-1]


def trained_by_recipe(report: Report) -> Candidate | None:
    """The last candidate with both a recipe and a training log; its recipe is drawn below the training curves."""
    trained = [candidate for candidate in report.candidates if candidate.recipe and candidate.log_history]
    return trained[-1] if trained else None


def draw_plots(report: Report) -> dict[str, str]:
    """SVG text by plot name; a plot without numbers is left out."""
    metric, colours = report.data.metric, plots.colours_of(report.names)
    drawn = {}
    if points := size_points(report):
        drawn["accuracy_size"] = plots.accuracy_size_plot(points, metric, colours)
    if panels := latency_panels(report.latency):
        drawn["latency"] = plots.latency_plot(panels, colours)
    if layers := subject_of(report).sparsity_by_layer:
        drawn["sparsity"] = plots.sparsity_plot(sparsity_bars(layers))
    if curves := _training_curves(report):
        trained = trained_by_recipe(report)
        drawn["training"] = plots.training_plot(curves, trained.recipe if trained else [], metric, colours)
    return drawn


def _training_curves(report: Report) -> list[TrainingCurves]:
    curves = [training_curves(entry.name, entry.log_history, report.data.metric) for entry in report.candidates]
    return [curve for curve in curves if curve.train_loss or curve.eval_loss]


def headline(report: Report) -> list[tuple[str, str]]:
    """The few figures to read first, each with what it says, about the candidate that `subject_of` gives."""
    subject, reference = subject_of(report), report.candidate(report.reference)
    is_compared = subject.name != reference.name
    figures = [*_score_figure(report, subject, is_compared)]
    if subject.encoder_sparsity is not None:
        figures.append((f"{percent(subject.encoder_sparsity, 0)} %", f"of {subject.name}'s encoder weights are zero"))
    if subject.file and reference.file:
        raw, gzipped = megabytes(subject.file.raw_bytes), megabytes(subject.file.gzip_bytes)
        if is_compared:
            share = percent(subject.file.raw_bytes / reference.file.raw_bytes, 0)
            sizes = f"{raw} of {megabytes(reference.file.raw_bytes)} MB; {gzipped} MB gzipped"
            figures.append((f"{share} %", f"of {reference.name}'s file size: {sizes}"))
        else:
            figures.append((f"{raw} MB", f"is the size of {subject.name}'s file; {gzipped} MB gzipped"))
    return figures + _speed_figure(report, subject, is_compared)


def _score_figure(report: Report, subject: Candidate, is_compared: bool) -> list[tuple[str, str]]:
    metric, reference = report.data.metric, report.reference
    after, before = report.compared_score(subject.name), report.baseline_score()
    if after is None or after.value is None:
        return []
    if not is_compared:
        return [(score_text(after.value), f"{metric} of {subject.name}")]
    base = score_text(before.value if before else None)
    if (kept := report.kept(subject.name)) is not None:
        scores = f"{score_text(after.value)} of {base}"
        return [(f"{percent(kept)} %", f"of {reference}'s {metric} kept by {subject.name}: {scores}")]
    return [(score_text(after.value), f"{metric} of {subject.name}; {reference} has {base}")]


def _speed_figure(report: Report, subject: Candidate, is_compared: bool) -> list[tuple[str, str]]:
    own = [row for row in report.latency if (row.candidate, row.engine) == (subject.name, report.reference_engine)]
    if not own:
        return []
    row = own[-1]
    shape = f"batch {row.batch_size}, sequence {row.sequence_length}"
    if not is_compared:
        return [(f"{significant(row.p50_ms)} ms", f"median latency in {row.engine} at {shape}")]
    return [(f"{row.speed_ratio:.2f}×", f"{report.reference}'s speed in {row.engine} at {shape}")]
