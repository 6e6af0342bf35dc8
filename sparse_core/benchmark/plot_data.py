"""The numbers behind each plot of the report."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparse_core.artifacts.report import Report
from sparse_core.artifacts.report_parts import LatencyRow

Point = tuple[float, float]
"""x and y."""
_UNNUMBERED = "other"
_OMITTED_PARTS = ("weight", "self", "dense")


@dataclass(frozen=True)
class TrainingCurves:
    """Points (epoch, value) of one training; `eval_metric` is the score by which candidates are compared."""

    name: str
    train_loss: list[Point]
    eval_loss: list[Point]
    eval_metric: list[Point]


@dataclass(frozen=True)
class SparsityBars:
    """Sparsity of every prunable weight: one group of bars per encoder layer, one bar per kind of weight."""

    groups: list[str]
    kinds: list[str]
    values: dict[tuple[str, str], float]
    """(group, kind) -> fraction of zeros."""


@dataclass(frozen=True)
class LatencyBar:
    """One candidate in one engine at one input shape."""

    label: str
    candidate: str
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class SizePoint:
    """One candidate: sizes in MB (10^6 bytes), and the score by which candidates are compared."""

    candidate: str
    raw_mb: float
    gzip_mb: float
    accuracy: float


def training_curves(name: str, log_history: Iterable[Mapping[str, Any]], metric: str) -> TrainingCurves:
    """Curves from the Trainer's log, each value at the epoch at which it was logged; NaN and infinity are left out.

    The training loss is the mean over the steps since it was last logged. The mean over the whole training, which the
    Trainer logs at the end as `train_loss`, is left out.
    """
    train_loss: list[Point] = []
    eval_loss: list[Point] = []
    eval_metric: list[Point] = []
    for entry in log_history:
        epoch = float(entry.get("epoch", 0.0))
        if _is_finite(entry.get("loss")):
            train_loss.append((epoch, float(entry["loss"])))
        if _is_finite(entry.get("eval_loss")):
            eval_loss.append((epoch, float(entry["eval_loss"])))
        if _is_finite(entry.get(f"eval_{metric}")):
            eval_metric.append((epoch, float(entry[f"eval_{metric}"])))
    return TrainingCurves(name, train_loss, eval_loss, eval_metric)


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def sparsity_bars(layers: Mapping[str, float]) -> SparsityBars:
    """Groups prunable weights by the layer number in their name; those without one share the last group."""
    values: dict[tuple[str, str], float] = {}
    for name, sparsity in layers.items():
        parts = name.split(".")
        number = next((index for index, part in enumerate(parts) if part.isdigit()), None)
        group = _UNNUMBERED if number is None else parts[number]
        values[group, weight_kind(parts if number is None else parts[number + 1 :])] = sparsity
    groups = sorted({group for group, _ in values}, key=lambda group: (group == _UNNUMBERED, group.zfill(6)))
    kinds = list(dict.fromkeys(kind for group in groups for owner, kind in values if owner == group))
    return SparsityBars(groups, kinds, values)


def weight_kind(parts: Sequence[str]) -> str:
    """A short name for the place of a weight: `attention.self.query.weight` is "attention query"."""
    return " ".join(part for part in parts if part not in _OMITTED_PARTS) or " ".join(parts)


def latency_panels(rows: Iterable[LatencyRow]) -> dict[tuple[int, int], list[LatencyBar]]:
    """Bars for each (batch_size, sequence_length), in the order of the report's rows."""
    panels: dict[tuple[int, int], list[LatencyBar]] = {}
    for row in rows:
        bar = LatencyBar(f"{row.engine} · {row.candidate}", row.candidate, row.p50_ms, row.p95_ms)
        panels.setdefault((row.batch_size, row.sequence_length), []).append(bar)
    return panels


def size_points(report: Report) -> list[SizePoint]:
    """Size and score of each candidate that has a file; the score in ONNX Runtime where it was measured there."""
    points = []
    for candidate in report.candidates:
        score = report.compared_score(candidate.name)
        if candidate.file and score and score.value is not None:
            sizes = candidate.file.raw_bytes / 1e6, candidate.file.gzip_bytes / 1e6
            points.append(SizePoint(candidate.name, *sizes, score.value))
    return points
