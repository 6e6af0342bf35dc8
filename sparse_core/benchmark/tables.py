"""Tables of the page besides the summary: scores of each type of entity, and the checks of the exported models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sparse_core.artifacts.report import Report
from sparse_core.artifacts.report_parts import Candidate, ExportCheck
from sparse_core.benchmark.summary import (
    ABSENT,
    entity_types,
    measured_metrics,
    metric_label,
    metric_names,
    percent,
    score_text,
)
from sparse_core.tasks import task_class

_FLOAT = "fp32"


@dataclass(frozen=True)
class Table:
    """Rows of texts under a header; the first text of each row is its label, the others are numbers."""

    note: str
    header: list[str]
    rows: list[list[str]]


def entity_table(report: Report) -> Table | None:
    """Precision, recall and F1 of each type of entity by each candidate; None for a task without such scores."""
    measured = measured_metrics(report)
    types = entity_types(name for metrics in measured for name in metrics)
    compared = [score for score in map(report.compared_score, report.names) if score is not None]
    if not types or not compared:
        return None

    def scores(metrics: Mapping[str, Any], entity: str) -> str:
        if f"{entity}_f1" not in metrics:  # the data has none of this type, and this candidate predicts none
            return ABSENT
        return " / ".join(score_text(metrics[f"{entity}_{name}"]) for name in ("precision", "recall", "f1"))

    return Table(
        note=f"Precision / recall / F1 of {', '.join(f'{row.candidate} in {row.engine}' for row in compared)}.",
        header=["type", "in the data", *(row.candidate for row in compared)],
        rows=[
            [
                entity,
                score_text(max(metrics.get(f"{entity}_number", 0) or 0 for metrics in measured)),
                *(scores(row.metrics, entity) for row in compared),
            ]
            for entity in types
        ],
    )


def verification_tables(report: Report) -> list[tuple[str, Table]]:
    """For each deployment with a record: its name, and what the export measured in torch and in ONNX Runtime."""
    return [
        (candidate.name, _verification_table(candidate, candidate.verification, report.data.task))
        for candidate in report.candidates
        if candidate.verification is not None
    ]


def _verification_table(candidate: Candidate, check: ExportCheck, task: str) -> Table:
    is_quantized = candidate.precision != _FLOAT  # only then does the export measure what rounding does to torch
    sessions = [check.sessions["optimized"], check.sessions["unoptimized"]]

    def row(label: str, in_torch: str, rounded: str, in_sessions: list[str]) -> list[str]:
        return [label, in_torch, *([rounded] if is_quantized else []), *in_sessions]

    agreements = [_percent(session.agreement) for session in sessions]
    differences = [_digits(session.max_abs_difference) for session in sessions]
    rows = [
        row("decisions equal to torch's", ABSENT, _percent(check.rounding_agreement), agreements),
        row("largest difference of an output", ABSENT, ABSENT, differences),
    ]
    for name in metric_names(check.metric, [check.torch_metrics]):
        scores = [score_text(session.metrics.get(name)) for session in sessions]
        rows.append(row(metric_label(name), score_text(check.torch_metrics.get(name)), ABSENT, scores))
    header = row("", "torch", "torch, rounded otherwise", ["ONNX Runtime, optimized", "ONNX Runtime, as written"])
    return Table(_verification_note(check, task, is_quantized), header, rows)


def _verification_note(check: ExportCheck, task: str, is_quantized: bool) -> str:
    rows = task_class(task).row_name
    note = (
        f"Measured by export_onnx on {check.num_rows:,} {rows} of the validation split, with all graph optimizations "
        f"and with none. The export requires {100 * check.tolerance.min_agreement:g} % equal decisions and "
        f"{check.metric} at most {check.tolerance.max_metric_loss:g} below torch's."
    )
    if not is_quantized:
        return note
    return (
        f"{note} It requires less where rounding alone changes more: torch was also compared with itself, its sums "
        "rounded in another way."
    )


def _percent(fraction: float | None) -> str:
    return ABSENT if fraction is None else f"{percent(fraction, 2)} %"


def _digits(value: float | None) -> str:
    return ABSENT if value is None else f"{value:.3g}"
