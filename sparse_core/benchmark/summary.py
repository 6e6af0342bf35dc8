"""The table that sums a report up, for the terminal and for the HTML page alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sparse_core.benchmark.engines import REFERENCE_ENGINE
from sparse_core.benchmark.subjects import DENSE, DEPLOYED

ABSENT = "–"
"""A value that was not measured, or is not finite."""
_LOWER_IS_BETTER = ("cross_entropy", "perplexity", "mse")
_ENTITY_COUNT = "_number"
_ENTITY_SCORES = ("_precision", "_recall", "_f1", _ENTITY_COUNT)


@dataclass(frozen=True)
class SummaryRow:
    """One line of the table; one cell for each of the report's models, in their order."""

    group: str
    label: str
    cells: list[str]


def summary_rows(report: Mapping[str, Any]) -> list[SummaryRow]:
    """Metrics over all of the data, sparsity, sizes, latency, throughput and memory of every model of the report."""
    variants = [model["variant"] for model in report["models"]]
    models = {model["variant"]: model for model in report["models"]}

    def of_model(group: str, label: str, show: Callable[[Mapping[str, Any]], str]) -> SummaryRow:
        return SummaryRow(group, label, [show(models[variant]) for variant in variants])

    rows = _score_rows(report, variants)
    rows += [
        of_model("sparsity", "encoder weights, %", lambda model: f"{100 * model['encoder_sparsity']:.1f}"),
        of_model("sparsity", "whole model, %", lambda model: f"{100 * model['model_sparsity']:.1f}"),
        of_model("ONNX file", "raw, MB", lambda model: megabytes(model["raw_bytes"])),
        of_model("ONNX file", "gzipped, MB", lambda model: megabytes(model["gzip_bytes"])),
    ]
    rows += _latency_rows(report, variants)
    for engine, values in _by_engine(report["footprint"]).items():
        rows.append(SummaryRow("load time, ms", engine, _cells(variants, values, lambda row: f"{row['load_ms']:.0f}")))
    for engine, values in _by_engine(report["footprint"]).items():
        cells = _cells(variants, values, lambda row: megabytes(row["increment_bytes"]))
        rows.append(SummaryRow("memory taken, MB", engine, cells))
    return rows


def metric_kept(report: Mapping[str, Any]) -> float | None:
    """The deployed model's metric in the reference engine as a fraction of the dense model's in torch.

    None where the dense model's is not above 0, as a correlation can be: there is nothing to keep a fraction of.
    """
    values = {(row["variant"], row["engine"]): row["value"] for row in report["accuracy"]}
    dense, deployed = values.get((DENSE, "torch")), values.get((DEPLOYED, REFERENCE_ENGINE))
    return deployed / dense if dense is not None and dense > 0 and deployed is not None else None


def scores_to_compare(report: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Variant -> its entry of `accuracy` in the reference engine where that was measured, else in torch."""
    chosen: dict[str, Mapping[str, Any]] = {}
    for row in report["accuracy"]:
        if row["engine"] == REFERENCE_ENGINE or row["variant"] not in chosen:
            chosen[row["variant"]] = row
    return chosen


def measured_metrics(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The scores by name of each model in each engine."""
    return [row["metrics"] for row in report["accuracy"]]


def metric_names(first: str, measured: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every metric over all of the data that is in any of `measured`, that by which models are compared first."""
    names = list(dict.fromkeys([first, *(name for metrics in measured for name in metrics)]))
    of_entities = {f"{entity}{score}" for entity in entity_types(names) for score in _ENTITY_SCORES}
    return [name for name in names if name not in of_entities]


def metric_label(name: str) -> str:
    """The name of a metric, which says so where less is better."""
    return f"{name}, lower is better" if name in _LOWER_IS_BETTER else name


def entity_types(names: Iterable[str]) -> list[str]:
    """Types of entity that have metrics of their own among `names`, sorted."""
    return sorted({name.removesuffix(_ENTITY_COUNT) for name in names if name.endswith(_ENTITY_COUNT)})


def _score_rows(report: Mapping[str, Any], variants: list[str]) -> list[SummaryRow]:
    def show(name: str) -> Callable[[Mapping[str, Any]], str]:
        return lambda row: score_text(row["metrics"].get(name))

    return [
        SummaryRow(metric_label(name), engine, _cells(variants, values, show(name)))
        for name in metric_names(report["data"]["metric"], measured_metrics(report))
        for engine, values in _by_engine(report["accuracy"]).items()
    ]


def _latency_rows(report: Mapping[str, Any], variants: list[str]) -> list[SummaryRow]:
    """Rows for the smallest and the largest batch at the greatest length; the page has a table of the whole sweep."""
    by_shape: dict[tuple[int, int], list[Mapping[str, Any]]] = {}
    for row in report["latency"]:
        by_shape.setdefault((row["batch_size"], row["sequence_length"]), []).append(row)
    longest = [shape for shape in sorted(by_shape) if shape[1] == max(length for _, length in by_shape)]
    shown = dict.fromkeys([longest[0], longest[-1]])
    groups: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [
        ("p50 / p95, ms", lambda row: f"{significant(row['p50_ms'])} / {significant(row['p95_ms'])}"),
        ("rows per second", lambda row: significant(row["rows_per_second"])),
        (f"speed, × {REFERENCE_ENGINE} dense", lambda row: f"{row['speed_ratio']:.2f}"),
    ]
    return [
        SummaryRow(group, f"{engine}, {shape_label(shape)}", _cells(variants, values, show))
        for group, show in groups
        for shape in shown
        for engine, values in _by_engine(by_shape[shape]).items()
    ]


def _by_engine(rows: list[Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Engine -> variant -> row."""
    engines: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in rows:
        engines.setdefault(row["engine"], {})[row["variant"]] = row
    return engines


def _cells(
    variants: list[str], values: Mapping[str, Mapping[str, Any]], show: Callable[[Mapping[str, Any]], str]
) -> list[str]:
    return [show(values[variant]) if variant in values else ABSENT for variant in variants]


def shape_label(shape: tuple[int, int]) -> str:
    """A batch of 1 row of 128 tokens is "1×128"."""
    return f"{shape[0]}×{shape[1]}"


def score_text(value: float | None) -> str:
    """A metric with four decimals, and one that is an integer, a count, as it is; a dash where it was not finite."""
    if value is None:
        return ABSENT
    return str(value) if isinstance(value, int) else f"{value:.4f}"


def megabytes(num_bytes: int | None) -> str:
    """MB of 10^6 bytes with three significant digits; a dash when unknown."""
    return ABSENT if num_bytes is None else significant(num_bytes / 1e6)


def significant(value: float) -> str:
    """Three significant digits, never an exponent: 0.123, 1.23, 12.3, 123, 12345."""
    num_integer_digits = len(str(int(abs(value)))) if abs(value) >= 1 else 0
    return f"{value:.{max(0, 3 - num_integer_digits)}f}"


def format_summary(report: Mapping[str, Any]) -> str:
    """The summary as aligned plain text, with a line above that says what was measured on what."""
    labels = [model["label"] for model in report["models"]]
    rows = summary_rows(report)
    group_width = max(len(row.group) for row in rows)
    label_width = max(len(row.label) for row in rows)
    widths = [max(len(label), *(len(row.cells[column]) for row in rows)) for column, label in enumerate(labels)]
    lines = [describe_run(report), "", _line(" " * group_width, " " * label_width, labels, widths)]
    previous_group = None
    for row in rows:
        group = row.group if row.group != previous_group else ""
        lines.append(_line(group.ljust(group_width), row.label.ljust(label_width), row.cells, widths))
        previous_group = row.group
    lines += [f"not measured: {entry['engine']}, {entry['model']}: {entry['reason']}" for entry in report["failures"]]
    return "\n".join(lines) + "\n"


def _line(group: str, label: str, cells: list[str], widths: list[int]) -> str:
    numbers = "  ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return f"{group}  {label}  {numbers}".rstrip()


def describe_run(report: Mapping[str, Any]) -> str:
    """What was measured on what, in one line."""
    data, settings, hardware = report["data"], report["settings"], report["hardware"]
    threads = f"{settings['num_threads']} thread{'s' if settings['num_threads'] > 1 else ''}"
    return (
        f"{data['num_rows']} rows of the {data['split']} split; {settings['num_runs']} runs in turns after "
        f"{settings['num_warmup_runs']} to warm up, {threads}; {hardware['cpu_model']}"
    )
