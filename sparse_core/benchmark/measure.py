"""Load time, memory and latency of the candidates in the selected engines."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sparse_core.artifacts.report_parts import FailureRow, FootprintRow, LatencyRow
from sparse_core.benchmark.engines import REFERENCE_ENGINE
from sparse_core.benchmark.engines.base import Engine
from sparse_core.benchmark.examine import Examined
from sparse_core.benchmark.memory import EngineFailure, measure_footprint
from sparse_core.benchmark.options import BenchmarkOptions
from sparse_core.benchmark.timing import Subject, measure

_REQUIRED_ENGINES = ("torch", REFERENCE_ENGINE)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Measurements:
    """Rows of the report."""

    latency: list[LatencyRow] = field(default_factory=list)
    footprint: list[FootprintRow] = field(default_factory=list)
    failures: list[FailureRow] = field(default_factory=list)


def measure_candidates(
    candidates: Sequence[Examined],
    reference: str,
    engines: Sequence[Engine],
    options: BenchmarkOptions,
    *,
    vocab_size: int,
    num_threads: int,
) -> Measurements:
    """Measures every candidate in every engine that can run it.

    torch runs the reference only: it takes as long for zeros and simulated int8 as for any weight, so no other
    candidate would be used there. An optional engine that fails on a candidate is reported and left out.

    Args:
        candidates: what to measure.
        reference: name of the candidate whose time in the reference engine is the unit of speed.
        engines: the engines.
        options: input shapes and numbers of runs.
        vocab_size: token ids are drawn below it.
        num_threads: threads of every engine.

    Raises:
        EngineFailure: torch or the reference engine fails.
    """
    measured = Measurements()
    subjects: list[Subject] = []
    conditions: dict[tuple[str, str], dict[str, Any]] = {}
    for engine, candidate, source in _pairs(engines, candidates, reference):
        row = _conditions(engine, candidate)
        try:
            cost = measure_footprint(engine, source, options.shapes, vocab_size=vocab_size, num_threads=num_threads)
        except EngineFailure as failure:
            if engine.name in _REQUIRED_ENGINES:
                raise
            _logger.warning("%s cannot run %s: %s", engine.name, candidate.entry.name, failure)
            measured.failures.append(FailureRow(**row, reason=str(failure)))
            continue
        measured.footprint.append(FootprintRow(**row, **asdict(cost), increment_bytes=cost.increment_bytes))
        subjects.append(Subject(candidate.entry.name, engine.name, engine.load(source, num_threads)))
        conditions[candidate.entry.name, engine.name] = row
    timed = measure(
        subjects,
        reference=next(s for s in subjects if (s.candidate, s.engine) == (reference, REFERENCE_ENGINE)),
        shapes=options.shapes,
        vocab_size=vocab_size,
        num_threads=num_threads,
        num_runs=options.num_runs,
        num_warmup_runs=options.num_warmup_runs,
    )
    for latency in timed:
        row = conditions[latency.candidate, latency.engine]
        measured.latency.append(LatencyRow(**{**row, **latency.model_dump()}))
    return measured


def _pairs(
    engines: Sequence[Engine], candidates: Sequence[Examined], reference: str
) -> Iterator[tuple[Engine, Examined, Path]]:
    """Engine, candidate, and the file or folder of the candidate that the engine loads."""
    for engine in engines:
        for candidate in candidates:
            if engine.model_format == "onnx":
                if candidate.onnx is not None:
                    yield engine, candidate, candidate.onnx
            elif candidate.folder.kind == "model" and candidate.entry.name == reference:
                yield engine, candidate, candidate.folder.directory


def _conditions(engine: Engine, candidate: Examined) -> dict[str, Any]:
    file = candidate.entry.file
    return {
        "candidate": candidate.entry.name,
        "engine": engine.name,
        "precision": candidate.entry.precision,
        "opset": file.opset if file and engine.model_format == "onnx" else None,
    }
