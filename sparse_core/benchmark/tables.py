"""Tables of the page beside the summary: scores of each type of entity, and the check of the exported model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparse_core.benchmark.summary import (
    ABSENT,
    entity_types,
    measured_metrics,
    metric_label,
    metric_names,
    score_text,
    scores_to_compare,
)

_INT8 = "int8"


@dataclass(frozen=True)
class Table:
    """Rows of texts under a header; the first of each is what the row is about, the others are numbers."""

    note: str
    header: list[str]
    rows: list[list[str]]


def entity_table(report: Mapping[str, Any]) -> Table | None:
    """Precision, recall and F1 of each type of entity by each model; None for a task without such scores."""
    measured = measured_metrics(report)
    types = entity_types(name for metrics in measured for name in metrics)
    if not types:
        return None
    compared = scores_to_compare(report)
    models = [(model["label"], compared[model["variant"]]) for model in report["models"]]

    def scores(metrics: Mapping[str, Any], entity: str) -> str:
        if f"{entity}_f1" not in metrics:  # in the data there are none, and this model predicts none
            return ABSENT
        return " / ".join(score_text(metrics[f"{entity}_{name}"]) for name in ("precision", "recall", "f1"))

    engines = ", ".join(f"{label} in {row['engine']}" for label, row in models)
    return Table(
        note=f"Precision / recall / F1 of {engines}.",
        header=["type", "in the data", *(label for label, _ in models)],
        rows=[
            [
                entity,
                score_text(max(metrics.get(f"{entity}_number", 0) for metrics in measured)),
                *(scores(row["metrics"], entity) for _, row in models),
            ]
            for entity in types
        ],
    )


def verification_table(report: Mapping[str, Any]) -> Table | None:
    """What `export_onnx` found when it compared torch and ONNX Runtime; None when it left no record.

    Only for a quantized model does it measure what rounding does to torch.
    """
    found = report["verification"]
    if not found:
        return None
    is_quantized = report["models"][-1]["precision"] == _INT8
    sessions = [found["sessions"]["optimized"], found["sessions"]["unoptimized"]]

    def row(label: str, in_torch: str, rounded: str, in_sessions: list[str]) -> list[str]:
        return [label, in_torch, *([rounded] if is_quantized else []), *in_sessions]

    rounding = _percent(found["rounding_agreement"])
    agreements = [_percent(session["agreement"]) for session in sessions]
    differences = [_digits(session["max_abs_difference"]) for session in sessions]
    rows = [
        row("decisions equal to torch's", ABSENT, rounding, agreements),
        row("largest difference of an output", ABSENT, ABSENT, differences),
    ]
    for name in metric_names(found["metric"], [found["torch_metrics"]]):
        scores = [score_text(session["metrics"][name]) for session in sessions]
        rows.append(row(metric_label(name), score_text(found["torch_metrics"][name]), ABSENT, scores))
    header = row("", "torch", "torch, rounded otherwise", ["ONNX Runtime, optimized", "ONNX Runtime, as written"])
    return Table(_verification_note(report, is_quantized), header, rows)


def _verification_note(report: Mapping[str, Any], is_quantized: bool) -> str:
    found, tolerance = report["verification"], report["verification"]["tolerance"]
    rows = "windows of texts" if report["data"]["task"] == "question_answering" else "rows of tokens"
    note = (
        f"Measured by export_onnx on {found['num_rows']:,} {rows} of the validation split, with all graph "
        f"optimizations and with none. It asks for {100 * tolerance['min_agreement']:g} % equal decisions and for "
        f"{found['metric']} at most {tolerance['max_metric_loss']:g} below torch's"
    )
    if not is_quantized:
        return f"{note}."
    return (
        f"{note}; for less where rounding alone changes more: torch was also compared with itself, its sums rounded in "
        "another way."
    )


def _percent(share: float | None) -> str:
    return ABSENT if share is None else f"{100 * share:.2f} %"


def _digits(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3g}"
