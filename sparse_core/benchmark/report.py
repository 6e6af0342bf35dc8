"""The report artifact: report.json with every number and its conditions, summary.json, and report.html."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sparse_core.benchmark.html import render_html
from sparse_core.benchmark.summary import metric_kept
from sparse_core.store import write_json


def finite(value: Any) -> Any:
    """The same JSON value with every number that is not finite replaced by None, and tuples by lists."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [finite(entry) for entry in value]
    return value


def flat_metrics(report: Mapping[str, Any]) -> dict[str, float]:
    """Every headline number under a name of its own; only finite floats, as pipeline metrics must be."""
    metric = report["data"]["metric"]
    numbers: dict[str, float | None] = {}
    for row in report["accuracy"]:
        for name, value in row["metrics"].items():
            numbers[f"{name}_{row['variant']}_{row['engine']}"] = value
    numbers[f"{metric}_kept"] = metric_kept(report)
    for model in report["models"]:
        for name in ("encoder_sparsity", "model_sparsity", "raw_bytes", "gzip_bytes"):
            numbers[f"{name}_{model['variant']}"] = model[name]
    for row in report["latency"]:
        subject = f"{row['variant']}_{row['engine']}_batch{row['batch_size']}_seq{row['sequence_length']}"
        for name in ("p50_ms", "p95_ms", "p99_ms", "rows_per_second", "speed_ratio"):
            numbers[f"{name}_{subject}"] = row[name]
    for row in report["footprint"]:
        for name in ("load_ms", "peak_bytes", "increment_bytes"):
            numbers[f"{name}_{row['variant']}_{row['engine']}"] = row[name]
    return {name: float(value) for name, value in numbers.items() if value is not None and math.isfinite(value)}


def write_report(report: Mapping[str, Any], directory: Path) -> dict[str, float]:
    """Writes report.json, summary.json and report.html into `directory`; returns what summary.json holds."""
    clean = finite(report)
    metrics = flat_metrics(clean)
    write_json(directory / "report.json", clean)
    write_json(directory / "summary.json", metrics)
    (directory / "report.html").write_text(render_html(clean), encoding="utf-8")
    return metrics
