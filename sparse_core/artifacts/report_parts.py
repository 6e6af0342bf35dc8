"""The parts of a report: candidates, scores and measurements, as `report.json` holds them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict


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


class Part(BaseModel):
    """A record that ignores entries which a later version may add."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ReportSettings(Part):
    """What was measured, and how often. Lengths are in tokens."""

    max_seq_length: int
    batch_sizes: list[int]
    sequence_lengths: list[int]
    num_threads: int
    num_runs: int
    num_warmup_runs: int
    engines: list[str]


class Hardware(Part):
    """The CPU, the cores that the process may use, and the instruction sets that matter for int8."""

    cpu_model: str
    architecture: str
    num_cores: int
    num_usable_cores: int
    flags: dict[str, bool]
    expectation: str
    """What int8 and zeros can bring on this CPU, in one sentence."""


class Data(Part):
    """The rows that the scores were measured on."""

    task: str
    metric: str
    """The score by which candidates are compared."""
    split: str
    num_rows: int
    num_rows_by_split: dict[str, int]
    label_names: list[str]


class OnnxFile(Part):
    """The ONNX file that stands for a candidate. Sizes are in bytes."""

    opset: int
    weight_dtype: str
    raw_bytes: int
    gzip_bytes: int


class RecipeSpan(Part):
    """The epochs in which one modifier of a recipe acts."""

    name: str
    start_epoch: float
    end_epoch: float


class Tolerance(Part):
    """How far ONNX Runtime may be from torch."""

    min_agreement: float
    max_metric_loss: float


class SessionCheck(Part):
    """One session of ONNX Runtime compared with torch."""

    agreement: Number
    """Fraction of equal decisions, 0 to 1."""
    metrics: Metrics
    max_abs_difference: Number


class ExportCheck(Part):
    """What the export measured when it compared torch with ONNX Runtime."""

    num_rows: int
    metric: str
    tolerance: Tolerance
    torch_metrics: Metrics
    rounding_agreement: Number = None
    """Equal decisions of torch and of torch with its sums rounded in another way, 0 to 1."""
    sessions: dict[Literal["optimized", "unoptimized"], SessionCheck]


class Candidate(Part):
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


class Score(Part):
    """The scores of one candidate in one engine."""

    candidate: str
    engine: str
    measured_on: str
    """The candidate that ran: for a deployment in torch, the model that it was exported from."""
    value: Number
    """The metric by which candidates are compared."""
    metrics: Metrics


class _Measured(Part):
    candidate: str
    engine: str
    precision: str
    opset: int | None


class Latency(Part):
    """The timed runs of one candidate in one engine at one input shape."""

    candidate: str
    engine: str
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


class LatencyRow(Latency, _Measured):
    """The timed runs, and the form of the model that ran."""


class FootprintRow(_Measured):
    """Load time and memory of one candidate in one engine, in a process of its own."""

    load_ms: float
    baseline_bytes: int | None
    peak_bytes: int | None
    increment_bytes: int | None


class FailureRow(_Measured):
    """A candidate that an engine could not run."""

    reason: str
