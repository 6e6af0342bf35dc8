"""The summary of a finished run: the table of the report, the paths of the results, and the time."""

from __future__ import annotations

from pathlib import Path

from sparse_core.artifacts.record import PipelineRecord
from sparse_core.artifacts.report import HTML_NAME, Report
from sparse_core.benchmark.summary import format_summary

from .config import RunConfig
from .runner import DEPLOYMENT, run_pipeline


def run_and_report(config: RunConfig) -> None:
    """Runs the pipeline and prints its summary.

    Raises:
        SparseCoreError: as `run_pipeline`.
    """
    record = run_pipeline(config)
    print(summary(record, config.output_dir))


def summary(record: PipelineRecord, output_dir: Path) -> str:
    """The report's table, the paths of the results and the time.

    Args:
        record: record of the run.
        output_dir: folder with `report.json` and the other results of the run.
    """
    return "\n".join(
        (
            "",
            format_summary(Report.read(output_dir)).rstrip(),
            "",
            f"report:     {output_dir / HTML_NAME}",
            f"deployment: {output_dir / DEPLOYMENT}",
            f"time:       {time_line(record)}",
        )
    )


def time_line(record: PipelineRecord) -> str:
    """The seconds of a run, and how many of them were spent outside the steps."""
    num_cached = sum(task.status == "cached" for task in record.tasks)
    seconds, own = record.seconds or 0.0, record.own_seconds
    cached = f", {num_cached} of {len(record.tasks)} steps cached" if num_cached else ""
    return f"{seconds:.1f} s, of which {own:.1f} s ({own / seconds:.0%}) outside the steps{cached}"
