"""The table that sums a report up, in the terminal and on the page."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sparse_core.artifacts.report import Report
from sparse_core.artifacts.report_parts import Candidate, LatencyRow

ABSENT = "–"
"""A value that was not measured, or is not finite."""
_LOWER_IS_BETTER = ("cross_entropy", "perplexity", "mse")
_ENTITY_COUNT = "_number"
_ENTITY_SCORES = ("_precision", "_recall", "_f1", _ENTITY_COUNT)
_Row = TypeVar("_Row", bound=Any)


@dataclass(frozen=True)
class SummaryRow:
    """One line of the table, with one cell for each candidate in the order of the report."""

    group: str
    label: str
    cells: list[str]


def summary_rows(report: Report) -> list[SummaryRow]:
    """Scores over all of the data, precision, sparsity, sizes, latency, throughput and memory of every candidate."""

    def of_candidate(group: str, label: str, show: Callable[[Candidate], str]) -> SummaryRow:
        return SummaryRow(group, label, [show(candidate) for candidate in report.candidates])

    return [
        *_score_rows(report),
        of_candidate("weights", "precision", lambda candidate: candidate.precision),
        of_candidate("zeros", "encoder weights, %", lambda candidate: percent(candidate.encoder_sparsity)),
        of_candidate("zeros", "whole model, %", lambda candidate: percent(candidate.model_sparsity)),
        of_candidate("ONNX file", "raw, MB", lambda candidate: _file_megabytes(candidate, "raw_bytes")),
        of_candidate("ONNX file", "gzipped, MB", lambda candidate: _file_megabytes(candidate, "gzip_bytes")),
        *_latency_rows(report),
        *_footprint_rows(report, "load time, ms", lambda row: f"{row.load_ms:.0f}"),
        *_footprint_rows(report, "memory taken, MB", lambda row: megabytes(row.increment_bytes)),
    ]


def measured_metrics(report: Report) -> list[Mapping[str, Any]]:
    """The scores by name of each candidate in each engine."""
    return [score.metrics for score in report.scores]


def metric_names(first: str, measured: Iterable[Mapping[str, Any]]) -> list[str]:
    """Names of the scores over all of the data, `first` at the beginning, without those of single types of entity."""
    names = list(dict.fromkeys([first, *(name for metrics in measured for name in metrics)]))
    of_entities = {f"{entity}{score}" for entity in entity_types(names) for score in _ENTITY_SCORES}
    return [name for name in names if name not in of_entities]


def metric_label(name: str) -> str:
    """The name of a score, with a note where less is better."""
    return f"{name}, lower is better" if name in _LOWER_IS_BETTER else name


def entity_types(names: Iterable[str]) -> list[str]:
    """The types of entity that have scores of their own among `names`, sorted."""
    return sorted({name.removesuffix(_ENTITY_COUNT) for name in names if name.endswith(_ENTITY_COUNT)})


def _score_rows(report: Report) -> list[SummaryRow]:
    def show(name: str) -> Callable[[Any], str]:
        return lambda score: score_text(score.metrics.get(name))

    return [
        SummaryRow(metric_label(name), engine, _cells(report.names, scores, show(name)))
        for name in metric_names(report.data.metric, measured_metrics(report))
        for engine, scores in _by_engine(report.scores).items()
    ]


def _latency_rows(report: Report) -> list[SummaryRow]:
    """Rows for the smallest and the largest batch at the greatest length; the page has a table of the whole sweep."""
    by_shape: dict[tuple[int, int], list[LatencyRow]] = {}
    for row in report.latency:
        by_shape.setdefault((row.batch_size, row.sequence_length), []).append(row)
    longest = [shape for shape in sorted(by_shape) if shape[1] == max(length for _, length in by_shape)]
    shapes = dict.fromkeys([*longest[:1], *longest[-1:]])
    groups: list[tuple[str, Callable[[LatencyRow], str]]] = [
        ("p50 / p95, ms", lambda row: f"{significant(row.p50_ms)} / {significant(row.p95_ms)}"),
        ("rows per second", lambda row: significant(row.rows_per_second)),
        (f"speed, × {report.reference} in {report.reference_engine}", lambda row: f"{row.speed_ratio:.2f}"),
    ]
    return [
        SummaryRow(group, f"{engine}, {shape_label(shape)}", _cells(report.names, rows, show))
        for group, show in groups
        for shape in shapes
        for engine, rows in _by_engine(by_shape[shape]).items()
    ]


def _footprint_rows(report: Report, group: str, show: Callable[[Any], str]) -> list[SummaryRow]:
    return [
        SummaryRow(group, engine, _cells(report.names, rows, show))
        for engine, rows in _by_engine(report.footprint).items()
    ]


def _by_engine(rows: Sequence[_Row]) -> dict[str, dict[str, _Row]]:
    """Engine -> candidate -> row."""
    engines: dict[str, dict[str, _Row]] = {}
    for row in rows:
        engines.setdefault(row.engine, {})[row.candidate] = row
    return engines


def _cells(names: Sequence[str], rows: Mapping[str, _Row], show: Callable[[_Row], str]) -> list[str]:
    return [show(rows[name]) if name in rows else ABSENT for name in names]


def shape_label(shape: tuple[int, int]) -> str:
    """A batch of 1 row of 128 tokens is "1×128"."""
    return f"{shape[0]}×{shape[1]}"


def score_text(value: float | None) -> str:
    """A score with four decimals, a count as a whole number, and a dash where it was not finite."""
    if value is None:
        return ABSENT
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def percent(fraction: float | None, decimals: int = 1) -> str:
    """A fraction as a percentage without its sign; a dash where there is none."""
    return ABSENT if fraction is None else f"{100 * fraction:.{decimals}f}"


def megabytes(num_bytes: int | None) -> str:
    """MB of 10^6 bytes with three significant digits; a dash where the size is unknown."""
    return ABSENT if num_bytes is None else significant(num_bytes / 1e6)


def _file_megabytes(candidate: Candidate, size: str) -> str:
    return megabytes(getattr(candidate.file, size, None))


def significant(value: float) -> str:
    """Three significant digits, never an exponent: 0.123, 1.23, 12.3, 123, 12345."""
    num_integer_digits = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, 3 - num_integer_digits)}f}"


def format_summary(report: Report) -> str:
    """The summary as aligned plain text, with a line above that says what was measured on what."""
    rows = summary_rows(report)
    group_width = max(len(row.group) for row in rows)
    label_width = max(len(row.label) for row in rows)
    widths = [max(_width(name), *(len(row.cells[column]) for row in rows)) for column, name in enumerate(report.names)]
    lines = [describe_run(report), "", _line(" " * group_width, " " * label_width, report.names, widths)]
    previous_group = None
    for row in rows:
        group = row.group if row.group != previous_group else ""
        lines.append(_line(group.ljust(group_width), row.label.ljust(label_width), row.cells, widths))
        previous_group = row.group
    lines += [f"not measured: {row.engine}, {row.candidate}: {row.reason}" for row in report.failures]
    return "\n".join(lines) + "\n"


def _width(text: str) -> int:
    """Columns that a terminal needs: two for a wide letter."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _line(group: str, label: str, cells: list[str], widths: list[int]) -> str:
    numbers = "  ".join(" " * (width - _width(cell)) + cell for cell, width in zip(cells, widths, strict=True))
    return f"{group}  {label}  {numbers}".rstrip()


def describe_run(report: Report) -> str:
    """What was measured on what, in one line."""
    data, settings = report.data, report.settings
    threads = f"{settings.num_threads} thread{'s' if settings.num_threads > 1 else ''}"
    return (
        f"{data.num_rows} rows of the {data.split} split; {settings.num_runs} runs in turns after "
        f"{settings.num_warmup_runs} to warm up, {threads}; {report.hardware.cpu_model}"
    )
