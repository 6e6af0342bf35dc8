"""A benchmark from its candidates to the report."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from sparse_core.artifacts.report import Report
from sparse_core.artifacts.report_parts import Candidate, ReportSettings
from sparse_core.benchmark.candidates import CandidateFolder, require_fitting_deployment
from sparse_core.benchmark.engines import REFERENCE_ENGINE, select_engines
from sparse_core.benchmark.engines.base import Engine
from sparse_core.benchmark.evaluation import Evaluation
from sparse_core.benchmark.examine import examine
from sparse_core.benchmark.hardware import installed_versions, read_hardware, usable_cores
from sparse_core.benchmark.measure import measure_candidates
from sparse_core.benchmark.options import BenchmarkOptions, require_positions, split_names
from sparse_core.tasks.tokenizers import max_tokens


def compare(
    folders: Sequence[CandidateFolder],
    reference: str,
    dataset: Path,
    options: BenchmarkOptions,
    *,
    max_seq_length: int,
    command: str,
) -> Report:
    """Measures the candidates and returns the report.

    Args:
        folders: the candidates.
        reference: name of the candidate that the others are compared with.
        dataset: data set artifact whose test split, or else validation split, the scores are measured on.
        options: what to measure, and how often.
        max_seq_length: longest row for the scores, in tokens.
        command: the command line that repeats the benchmark, for the report.

    Raises:
        ConfigError: a length is above what a candidate can read.
        DependencyError: an engine is not installed.
        DataError: the data set cannot be read.
        ModelError: a candidate cannot be loaded, or is for other data.
    """
    engines = select_engines(split_names(options.engines))
    num_threads = options.num_threads or usable_cores()
    evaluation = Evaluation.of(dataset, max_seq_length)
    _require_fitting(folders, evaluation, options)
    with tempfile.TemporaryDirectory() as scratch, torch_threads(num_threads):
        examined = examine(folders, evaluation, reference, num_threads, Path(scratch))
        measured = measure_candidates(
            examined,
            reference,
            engines,
            options,
            vocab_size=min(folder.config()["vocab_size"] for folder in folders),
            num_threads=num_threads,
        )
    return Report(
        title=report_title(_candidate(folders, reference).config(), evaluation.schema.task),
        created_unix=int(time.time()),
        command=command,
        reference=reference,
        reference_engine=REFERENCE_ENGINE,
        settings=_settings(options, engines, max_seq_length, num_threads),
        hardware=read_hardware(),
        versions=installed_versions(),
        data=evaluation.data(),
        candidates=with_own_logs([candidate.entry for candidate in examined]),
        scores=[score for candidate in examined for score in candidate.scores],
        latency=measured.latency,
        footprint=measured.footprint,
        failures=measured.failures,
    )


def _require_fitting(folders: Sequence[CandidateFolder], evaluation: Evaluation, options: BenchmarkOptions) -> None:
    lengths = {
        "sequence_lengths": max(options.sorted_sequence_lengths),
        "max_seq_length": evaluation.max_seq_length,
    }
    task, schema = evaluation.task, evaluation.schema
    for folder in folders:
        if folder.kind == "deployment":
            require_fitting_deployment(folder, schema.task, task.output_names, schema.label_names)
        require_positions(lengths, f"the candidate {folder.name}", max_tokens(folder.config()))


def _candidate(folders: Sequence[CandidateFolder], name: str) -> CandidateFolder:
    return next(folder for folder in folders if folder.name == name)


def _settings(
    options: BenchmarkOptions, engines: Sequence[Engine], max_seq_length: int, num_threads: int
) -> ReportSettings:
    return ReportSettings(
        max_seq_length=max_seq_length,
        batch_sizes=options.sorted_batch_sizes,
        sequence_lengths=options.sorted_sequence_lengths,
        num_threads=num_threads,
        num_runs=options.num_runs,
        num_warmup_runs=options.num_warmup_runs,
        engines=[engine.name for engine in engines],
    )


def with_own_logs(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates, each without the log entries that it took over from an earlier one when it went on training."""
    earlier: list[dict[str, Any]] = []
    result = []
    for candidate in candidates:
        own = [entry for entry in candidate.log_history if entry not in earlier]
        earlier += own
        result.append(candidate.model_copy(update={"log_history": own}))
    return result


def report_title(config: Mapping[str, Any], task: str) -> str:
    """What was measured, in words: "bert, 6 layers of 384, text classification"."""
    size = f", {config['num_hidden_layers']} layers of {config['hidden_size']}" if "num_hidden_layers" in config else ""
    return f"{config['model_type']}{size}, {task.replace('_', ' ')}"


@contextmanager
def torch_threads(num_threads: int) -> Iterator[None]:
    """Lets torch use `num_threads` threads inside the block, and as many as before after it."""
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
