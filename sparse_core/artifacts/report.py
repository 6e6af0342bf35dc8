"""The report artifact: every number of a benchmark with its conditions, as `report.json`, a page and flat metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from pydantic import ValidationError, model_validator

from sparse_core.artifacts.report_parts import (
    Candidate,
    Data,
    FailureRow,
    FootprintRow,
    Hardware,
    LatencyRow,
    Part,
    ReportSettings,
    Score,
)
from sparse_core.errors import ArtifactError
from sparse_core.store import write_json

REPORT_NAME = "report.json"
HTML_NAME = "report.html"
SUMMARY_NAME = "summary.json"
_SHAPE_METRICS = ("p50_ms", "p95_ms", "p99_ms", "rows_per_second", "speed_ratio")
_FOOTPRINT_METRICS = ("load_ms", "peak_bytes", "increment_bytes")


class Report(Part):
    """The result of a benchmark."""

    newest_format: ClassVar[int] = 2
    """The version of the form that this library writes and reads; 1 had three fixed models and no version."""

    format_version: int = newest_format
    title: str
    created_unix: int
    command: str
    reference: str
    """Name of the candidate that the others are compared with."""
    reference_engine: str
    """The engine in which the reference's time is the unit of speed."""
    settings: ReportSettings
    hardware: Hardware
    versions: dict[str, str]
    data: Data
    candidates: list[Candidate]
    scores: list[Score]
    latency: list[LatencyRow]
    footprint: list[FootprintRow]
    failures: list[FailureRow] = []

    @model_validator(mode="after")
    def _has_its_reference(self) -> Self:
        if self.reference not in self.names:
            raise ValueError(f"the reference {self.reference} is no candidate")
        return self

    @property
    def names(self) -> list[str]:
        """Names of the candidates, in the order in which they were given."""
        return [candidate.name for candidate in self.candidates]

    def candidate(self, name: str) -> Candidate:
        """The candidate of a name."""
        return next(candidate for candidate in self.candidates if candidate.name == name)

    def score(self, name: str, engine: str) -> Score | None:
        """The scores of a candidate in an engine; None where they were not measured."""
        return next((score for score in self.scores if (score.candidate, score.engine) == (name, engine)), None)

    def compared_score(self, name: str) -> Score | None:
        """The scores by which a candidate is compared: in the reference engine where it was measured, else in torch."""
        own = [score for score in self.scores if score.candidate == name]
        return self.score(name, self.reference_engine) or next(iter(own), None)

    def baseline_score(self) -> Score | None:
        """The reference's scores in torch where it was measured there, else in the reference engine."""
        return self.score(self.reference, "torch") or self.compared_score(self.reference)

    def kept(self, name: str) -> float | None:
        """A candidate's score as a fraction of the reference's.

        Returns:
            None where one of them was not measured, or where the reference's is not above 0, as a correlation can be:
            there is nothing to keep a fraction of.
        """
        base, own = self.baseline_score(), self.compared_score(name)
        if base is None or own is None or base.value is None or own.value is None or base.value <= 0:
            return None
        return own.value / base.value

    def summary(self) -> dict[str, float]:
        """Every headline number under `<candidate>_<metric>`, with engine and shape after it; all of them finite."""
        numbers = {f"{name}_{key}": value for name, key, value in self._numbers()}
        return {key: float(value) for key, value in numbers.items() if value is not None and math.isfinite(value)}

    def write(self, directory: Path, html: str) -> dict[str, float]:
        """Writes `report.json`, `report.html` and `summary.json`.

        Args:
            directory: the artifact.
            html: the page.

        Returns:
            What `summary.json` holds.
        """
        summary = self.summary()
        write_json(directory / REPORT_NAME, self.model_dump(mode="json"))
        write_json(directory / SUMMARY_NAME, summary)
        (directory / HTML_NAME).write_text(html, encoding="utf-8")
        return summary

    @classmethod
    def read(cls, directory: Path) -> Self:
        """The report of an artifact.

        Raises:
            ArtifactError: the folder has no `report.json`, or one that is damaged or of another version.
        """
        path = directory / REPORT_NAME
        if not path.is_file():
            raise ArtifactError(
                "report", f"{directory} has no {REPORT_NAME}", fix="make it with `sparse-core benchmark`"
            )
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            version = values.get("format_version", 1)
        except (ValueError, AttributeError) as error:
            raise ArtifactError("report", f"{path} is damaged ({error})", fix="run the benchmark again") from None
        if version != cls.newest_format:
            raise ArtifactError(
                "report",
                f"{path} has the form {version}, and this version reads {cls.newest_format}",
                fix="run the benchmark again, or use the version that wrote it",
            )
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise ArtifactError("report", f"{path} is damaged ({reason})", fix="run the benchmark again") from None

    def _numbers(self) -> Iterator[tuple[str, str, float | None]]:
        """Candidate, metric and value of each headline number."""
        for score in self.scores:
            yield from ((score.candidate, f"{name}_{score.engine}", value) for name, value in score.metrics.items())
        for candidate in self.candidates:
            name = candidate.name
            if name != self.reference:
                yield name, f"{self.data.metric}_kept", self.kept(name)
            yield name, "encoder_sparsity", candidate.encoder_sparsity
            yield name, "model_sparsity", candidate.model_sparsity
            if candidate.file:
                yield name, "raw_bytes", candidate.file.raw_bytes
                yield name, "gzip_bytes", candidate.file.gzip_bytes
        for row in self.latency:
            place = f"{row.engine}_batch{row.batch_size}_seq{row.sequence_length}"
            yield from ((row.candidate, f"{metric}_{place}", getattr(row, metric)) for metric in _SHAPE_METRICS)
        for cost in self.footprint:
            yield from (
                (cost.candidate, f"{metric}_{cost.engine}", getattr(cost, metric)) for metric in _FOOTPRINT_METRICS
            )
