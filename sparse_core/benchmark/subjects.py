"""The models of a benchmark, run in every selected engine."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparse_core.benchmark.engines import REFERENCE_ENGINE
from sparse_core.benchmark.engines.base import Engine
from sparse_core.benchmark.memory import EngineFailure, measure_footprint
from sparse_core.benchmark.model_files import ModelFile
from sparse_core.benchmark.settings import BenchmarkSettings
from sparse_core.benchmark.timing import Subject, measure

DENSE, SPARSE, DEPLOYED = "dense", "sparse", "deployed"
"""Variants: the teacher, the pruned float32 model, and the model that was exported for use."""
_REQUIRED_ENGINES = ("torch", REFERENCE_ENGINE)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BenchmarkedModel:
    """One variant: where it lies, what its ONNX file is, and how sparse it is (fractions of zeros, 0 to 1)."""

    variant: str
    directory: Path
    onnx: Path
    file: ModelFile
    made_by: str
    num_parameters: int
    encoder_sparsity: float
    model_sparsity: float
    sparsity_by_kind: dict[str, float]
    sparsity_by_layer: dict[str, float]

    @property
    def label(self) -> str:
        """What reports call it, such as "sparse int8"; never int8 when the file holds float weights."""
        kind = self.variant
        if self.variant == DEPLOYED and self.file.precision == "int8":
            kind = SPARSE if self.encoder_sparsity > 0 else DENSE
        return f"{kind} {self.file.precision}"

    def as_row(self) -> dict[str, Any]:
        """The entry of report.json."""
        row = {"label": self.label, **asdict(self), **asdict(self.file), "directory": str(self.directory)}
        del row["onnx"], row["file"]
        return row


@dataclass(frozen=True)
class Measurements:
    """Rows of report.json."""

    latency: list[dict[str, Any]]
    footprint: list[dict[str, Any]]
    failures: list[dict[str, Any]]


def measure_models(models: Sequence[BenchmarkedModel], settings: BenchmarkSettings, vocab_size: int) -> Measurements:
    """Load time, memory and latency of every model in every engine that can run it.

    torch runs the dense model only: it executes zeros and fake quantization at full cost, so no other variant would
    be deployed there. An optional engine that fails on a model is reported and left out.

    Raises:
        EngineFailure: torch or the reference engine fails.
    """
    subjects: list[Subject] = []
    footprint, failures = [], []
    conditions = {}
    for engine, model in _pairs(settings.engines, models):
        row = _conditions(engine, model)
        source = model.directory if engine.model_format == "huggingface" else model.onnx
        try:
            cost = measure_footprint(
                engine, source, settings.shapes, vocab_size=vocab_size, num_threads=settings.num_threads
            )
        except EngineFailure as failure:
            if engine.name in _REQUIRED_ENGINES:
                raise
            _logger.warning("%s cannot run the %s model: %s", engine.name, model.label, failure)
            failures.append({**row, "reason": str(failure)})
            continue
        footprint.append({**row, **asdict(cost), "increment_bytes": cost.increment_bytes})
        subjects.append(Subject(model.variant, engine.name, engine.load(source, settings.num_threads)))
        conditions[model.variant, engine.name] = row
    latency = measure(
        subjects,
        reference=next(s for s in subjects if (s.variant, s.engine) == (DENSE, REFERENCE_ENGINE)),
        shapes=settings.shapes,
        vocab_size=vocab_size,
        num_threads=settings.num_threads,
        num_runs=settings.num_runs,
        num_warmup_runs=settings.num_warmup_runs,
    )
    rows = [{**conditions[entry.variant, entry.engine], **asdict(entry)} for entry in latency]
    return Measurements(rows, footprint, failures)


def _pairs(engines: Sequence[Engine], models: Sequence[BenchmarkedModel]) -> list[tuple[Engine, BenchmarkedModel]]:
    return [
        (engine, model) for engine in engines for model in models if engine.name != "torch" or model.variant == DENSE
    ]


def _conditions(engine: Engine, model: BenchmarkedModel) -> dict[str, Any]:
    return {
        "variant": model.variant,
        "model": model.label,
        "engine": engine.name,
        "precision": model.file.precision,
        "opset": model.file.opset if engine.model_format == "onnx" else None,
    }
