"""Step: compare models and deployments, and write the report."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import Field

from sparse_core.benchmark.options import BenchmarkOptions
from sparse_core.fields import Options
from sparse_core.steps.spec import Kind, MaxSeqLength, Port, step


class BenchmarkStepSettings(Options):
    """Settings of `benchmark`."""

    reference: str = Field(
        "", description="Name of the candidate that the others are compared with; empty: the first one."
    )
    max_seq_length: MaxSeqLength = 128
    benchmark_options: BenchmarkOptions = BenchmarkOptions()


@step(
    inputs=(
        Port(
            "candidates",
            Kind.MODEL,
            "Models to compare, up to 8, each with a name: Hugging Face models and deployments of export_onnx.",
            many=True,
        ),
        Port(
            "dataset",
            Kind.DATASET,
            "Dataset artifact; its test split gives the accuracy, or validation if there is no test split.",
        ),
    ),
    output=Port("report", Kind.REPORT, "report.json, report.html and summary.json."),
    settings=BenchmarkStepSettings,
)
def benchmark(
    candidates: Mapping[str, Path], dataset: Path, output: Path, settings: BenchmarkStepSettings
) -> dict[str, float]:
    """Compares the accuracy, sparsity, size, latency and memory of models and deployments in a report.

    Returns:
        The numbers of summary.json by name, all finite floats.

    Raises:
        ConfigError: a setting does not fit, or a candidate's name cannot be used.
        DataError: the folder is not a dataset artifact.
        DependencyError: an engine or matplotlib is not installed.
        ModelError: a candidate is incomplete, or belongs to other data.
    """
    from sparse_core.artifacts.dataset import read_schema
    from sparse_core.artifacts.record import RunRecord
    from sparse_core.benchmark.candidates import choose_reference, find_candidates
    from sparse_core.store import publishing

    folders = find_candidates(candidates)
    reference = choose_reference(folders, settings.reference)
    read_schema(dataset)
    # These load torch and matplotlib, which takes seconds: the checks above need neither.
    from sparse_core.benchmark.compare import compare
    from sparse_core.benchmark.html import render_html
    from sparse_core.benchmark.plots import require_matplotlib

    require_matplotlib()
    arguments = {**settings.benchmark_options.model_dump(), "max_seq_length": settings.max_seq_length}
    words = [
        ("candidates", *(f"{name}={path}" for name, path in candidates.items())),
        *((name, str(value)) for name, value in {"dataset": dataset, "output": output, "reference": reference}.items()),
        *((name, str(value)) for name, value in arguments.items() if value != ""),
    ]
    with publishing(output) as staging:
        report = compare(
            folders,
            reference,
            dataset,
            settings.benchmark_options,
            max_seq_length=settings.max_seq_length,
            command=command_line(words),
        )
        summary = report.write(staging, render_html(report))
        RunRecord(step="benchmark", settings={**arguments, "reference": reference}).write(staging)
    return summary


def command_line(options: Iterable[tuple[str, ...]]) -> str:
    """The shell command that runs the step.

    Args:
        options: for each option its name and its values.
    """
    lines = [f"--{name.replace('_', '-')} {shlex.join(values)}" for name, *values in options]
    return " \\\n  ".join(["sparse-core benchmark", *lines])
