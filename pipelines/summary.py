"""What a finished run tells its user: the table of the report, where the results lie, and where the time went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .config import PipelineConfig
from .runner import run_pipeline


def run_and_report(config: PipelineConfig) -> None:
    """Runs the pipeline and prints its summary.

    Raises:
        SparseCoreError: as `run_pipeline`.
    """
    run = run_pipeline(config)
    print(summary(run, Path(config.output_dir)))


def summary(run: dict[str, Any], output_dir: Path) -> str:
    """The report's table, the paths of the results and a line on the time.

    Args:
        run: content of `run.json`.
        output_dir: folder with `report.json` and the other results of the run.
    """
    from sparse_core.benchmark.summary import format_summary

    report = json.loads((output_dir / "report.json").read_text(encoding="utf-8"))
    return "\n".join(
        (
            "",
            format_summary(report).rstrip(),
            "",
            f"report:     {output_dir / 'report.html'}",
            f"deployment: {output_dir / 'deployment'}",
            f"time:       {time_line(run)}",
        )
    )


def time_line(run: dict[str, Any]) -> str:
    """The seconds of a run, and how many of them are the pipeline's own."""
    num_cached = sum(task["status"] == "cached" for task in run["tasks"])
    wall, own = run["wall_seconds"], run["pipeline_seconds"]
    cached = f", {num_cached} of {len(run['tasks'])} steps cached" if num_cached else ""
    return f"{wall:.1f} s, of which {own:.1f} s ({own / wall:.0%}) outside the steps{cached}"
