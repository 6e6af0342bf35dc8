"""The report artifact: every number of a benchmark with its conditions, as `report.json`, a page and flat metrics."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator

from sparse_core.errors import ArtifactError
from sparse_core.store import write_json

REPORT_NAME = "report.json"
HTML_NAME = "report.html"
SUMMARY_NAME = "summary.json"
_SHAPE_METRICS = ("p50_ms", "p95_ms", "p99_ms", "rows_per_second", "speed_ratio")
_FOOTPRINT_METRICS = ("load_ms", "peak_bytes", "increment_bytes")


def _finite(value: Any) -> Any:
    """The value, with None for every number in it that is NaN or infinite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return value


Number = Annotated[float | None, BeforeValidator(_finite)]
"""A number; None where it was NaN or infinite, or was not measured."""
Metrics = Annotated[dict[str, int | float | None], BeforeValidator(_finite)]
"""Scores by name; None where a score was NaN or infinite."""
LogEntry = Annotated[dict[str, Any], BeforeValidator(_finite)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ReportSettings(_Part):
    """What was measured, and how often. Lengths are in tokens."""

    max_seq_length: int
    batch_sizes: list[int]
    sequence_lengths: list[int]
    num_threads: int
    num_runs: int
    num_warmup_runs: int
    engines: list[str]


class Hardware(_Part):
    """The CPU, the cores that the process may use, and the instruction sets that matter for int8."""

    cpu_model: str
    architecture: str
    num_cores: int
    num_usable_cores: int
    flags: dict[str, bool]
    expectation: str
    """What int8 and zeros can bring on this CPU, in one sentence."""


class Data(_Part):
    """The rows that the scores were measured on."""

    task: str
    metric: str
    """The score by which candidates are compared."""
    split: str
    num_rows: int
    num_rows_by_split: dict[str, int]
    label_names: list[str]


class OnnxFile(_Part):
    """The ONNX file that stands for a candidate. Sizes are in bytes."""

    opset: int
    weight_dtype: str
    raw_bytes: int
    gzip_bytes: int


class RecipeSpan(_Part):
    """The epochs in which one modifier of a recipe acts."""

    name: str
    start_epoch: float
    end_epoch: float


class Tolerance(_Part):
    """How far ONNX Runtime may be from torch."""

    min_agreement: float
    max_metric_loss: float


class SessionCheck(_Part):
    """One session of ONNX Runtime compared with torch."""

    agreement: Number
    """Fraction of equal decisions, 0 to 1."""
    metrics: Metrics
    max_abs_difference: Number


class ExportCheck(_Part):
    """What the export measured when it compared torch with ONNX Runtime."""

    num_rows: int
    metric: str
    tolerance: Tolerance
    torch_metrics: Metrics
    rounding_agreement: Number = None
    """Equal decisions of torch and of torch with its sums rounded in another way, 0 to 1."""
    sessions: dict[Literal["optimized", "unoptimized"], SessionCheck]


class Candidate(_Part):
    """One named model of the comparison. Sparsities are fractions of exact zeros, 0 to 1."""

    name: str
    kind: Literal["model", "deployment"]
    directory: str
    made_by: str
    exported_from: str = ""
    """For a deployment: the candidate that it was exported from; empty where that is no candidate."""
    precision: str
    num_parameters: int
    encoder_sparsity: Number
    model_sparsity: Number
    sparsity_by_kind: dict[str, float]
    sparsity_by_layer: dict[str, float]
    file: OnnxFile | None = None
    """The deployment's file, or the export of a float model; None for a model that simulates int8 in torch."""
    recipe: list[RecipeSpan] = []
    log_history: list[LogEntry] = []
    """What the Trainer logged for this model, without what it took over from another candidate."""
    verification: ExportCheck | None = None


class Score(_Part):
    """The scores of one candidate in one engine."""

    candidate: str
    engine: str
    measured_on: str
    """The candidate that ran: for a deployment in torch, the model that it was exported from."""
    value: Number
    """The metric by which candidates are compared."""
    metrics: Metrics


class _Measured(_Part):
    candidate: str
    engine: str
    precision: str
    opset: int | None


class LatencyRow(_Measured):
    """The timed runs of one candidate in one engine at one input shape."""

    batch_size: int
    sequence_length: int
    num_threads: int
    num_warmup_runs: int
    num_runs: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    rows_per_second: float
    speed_ratio: float
    """Median over the rounds of the reference's time divided by the own time; 2.0 is twice as fast."""


class FootprintRow(_Measured):
    """Load time and memory of one candidate in one engine, in a process of its own."""

    load_ms: float
    baseline_bytes: int | None
    peak_bytes: int | None
    increment_bytes: int | None


class FailureRow(_Measured):
    """A candidate that an engine could not run."""

    reason: str


class Report(_Part):
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
