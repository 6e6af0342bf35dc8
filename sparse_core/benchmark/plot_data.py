"""The numbers behind each plot of the report, apart from how they are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sparse_core.benchmark.summary import scores_to_compare

Point = tuple[float, float]
"""x and y."""
_UNNUMBERED = "other"
_UNTELLING_PARTS = ("weight", "self", "dense")


@dataclass(frozen=True)
class TrainingCurves:
    """Points (epoch, value) of one training; the evaluation metric is whatever the task's primary metric is."""

    name: str
    train_loss: list[Point]
    eval_loss: list[Point]
    eval_metric: list[Point]


@dataclass(frozen=True)
class TimelineSpan:
    """The epochs in which one modifier of the recipe acts."""

    name: str
    start_epoch: float
    end_epoch: float


@dataclass(frozen=True)
class SparsityBars:
    """Sparsity of every prunable weight: one group of bars per encoder layer, one bar per kind of weight."""

    groups: list[str]
    kinds: list[str]
    values: dict[tuple[str, str], float]
    """(group, kind) -> fraction of zeros."""


@dataclass(frozen=True)
class LatencyBar:
    """One engine with one model at one input shape."""

    label: str
    variant: str
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True)
class SizePoint:
    """One model: sizes in MB (10^6 bytes) and its accuracy where it would be deployed."""

    label: str
    variant: str
    raw_mb: float
    gzip_mb: float
    accuracy: float


def training_curves(name: str, log_history: Iterable[Mapping[str, Any]], metric: str) -> TrainingCurves:
    """Curves from the Trainer's log, each value at the epoch at which it was logged; those not finite are left out.

    The training loss is the mean over the steps since it was last logged. The `train_loss` at a log's end is no point
    of the curve, and steps after the last entry are in none.
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


def own_entries(log_history: Sequence[dict], earlier: Sequence[dict]) -> list[dict]:
    """Entries of a training that went on from another, without those that it took over."""
    return [entry for entry in log_history if entry not in earlier]


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
    return " ".join(part for part in parts if part not in _UNTELLING_PARTS) or " ".join(parts)


def latency_panels(latency: Iterable[Mapping[str, Any]]) -> dict[tuple[int, int], list[LatencyBar]]:
    """Bars for each (batch_size, sequence_length), in the order of the report's rows."""
    panels: dict[tuple[int, int], list[LatencyBar]] = {}
    for row in latency:
        bar = LatencyBar(f"{row['engine']} · {row['model']}", row["variant"], row["p50_ms"], row["p95_ms"])
        panels.setdefault((row["batch_size"], row["sequence_length"]), []).append(bar)
    return panels


def size_points(report: Mapping[str, Any]) -> list[SizePoint]:
    """Size and accuracy of each model; accuracy in ONNX Runtime where that was measured, else in torch."""
    accuracy = {variant: row["value"] for variant, row in scores_to_compare(report).items()}
    return [
        SizePoint(
            label=model["label"],
            variant=model["variant"],
            raw_mb=model["raw_bytes"] / 1e6,
            gzip_mb=model["gzip_bytes"] / 1e6,
            accuracy=accuracy[model["variant"]],
        )
        for model in report["models"]
        if accuracy.get(model["variant"]) is not None
    ]
