"""Runs a pipeline on this machine with kfp.local. Steps are cached by content; a folder has one run at a time."""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from sparse_core.artifacts.record import PipelineRecord, TaskRun
from sparse_core.artifacts.report import HTML_NAME, REPORT_NAME
from sparse_core.errors import DependencyError, SparseCoreError
from sparse_core.store import code_identity, locked, publishing, publishing_file

from .config import RunConfig
from .preflight import preflight, run_parameters
from .progress import Progress, ProgressHandler

_RESULT_LIBRARIES = ("torch", "transformers", "datasets", "onnx", "onnxruntime")
_CHILD_GRACE_SECONDS = 10
RESULTS = (HTML_NAME, REPORT_NAME)
DEPLOYMENT = "deployment"
"""Results of a run in its output folder, besides the record and the log."""


class StepError(SparseCoreError):
    """A step of the pipeline failed."""


def run_pipeline(config: RunConfig) -> PipelineRecord:
    """Runs the pipeline and copies its results to fixed names in the output folder.

    A step is not run again if an earlier run had the same inputs, settings and code.

    Returns:
        The record of the run, with the seconds of each task and of the whole run.

    Raises:
        SparseCoreError: an input cannot be used, the output folder is in use, or a step failed.
        KeyboardInterrupt: the user interrupted the run; its step has been terminated.
    """
    started = time.perf_counter()
    with config.located(), locked(config.output_dir), _terminated_by_signal():
        preflight(config)
        outputs, tasks = _execute(config.pipeline.name, run_parameters(config), config.output_dir)
        _publish(outputs, config.output_dir)
        record = PipelineRecord(
            step=config.pipeline.name,
            seconds=round(time.perf_counter() - started, 3),
            settings=dict(config.values),
            tasks=tasks,
        )
        record.write(config.output_dir, files=RESULTS)
        return record


def load_pipeline(name: str) -> Any:
    """The KFP pipeline called `name`.

    Raises:
        DependencyError: kfp is not installed.
    """
    try:
        module = importlib.import_module(f"sparse_pipelines.pipelines.{name}.pipeline")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "kfp":
            raise
        raise DependencyError("", "pipelines need kfp 2.17", fix="install `sparse-pipelines[kfp]`") from None
    return getattr(module, name)


def _execute(name: str, parameters: dict[str, Any], output_dir: Path) -> tuple[dict[str, Any], list[TaskRun]]:
    pipeline = load_pipeline(name)
    from kfp import local

    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(output_dir / "steps"),
        raise_on_error=False,
        enable_caching=True,
        cache_root=str(output_dir / "steps" / f".cache-{code_identity('sparse_core', *_RESULT_LIBRARIES)[:16]}"),
    )
    with (output_dir / "log.txt").open("w", buffering=1, encoding="utf-8") as log:
        progress = Progress(task_labels(pipeline.pipeline_spec), sys.stdout, log)
        with _shown_by(progress), _children_ended():
            outputs = pipeline(**parameters).outputs
    if not outputs:
        raise StepError("", _failure(progress, output_dir))
    return outputs, progress.records


def task_labels(spec: Any) -> dict[str, str]:
    """KFP's name of each task -> a readable name. Two tasks of one component get the name of their input too.

    Args:
        spec: the compiled pipeline, a PipelineSpec message.
    """
    labels = {}
    tasks = {task.component_ref.name.removeprefix("comp-"): task for task in spec.root.dag.tasks.values()}
    for name, task in tasks.items():
        label = name.rstrip("-0123456789").replace("-", "_")
        subject = label.removeprefix("fetch_")
        if label != subject and subject in task.inputs.parameters:
            source = task.inputs.parameters[subject].component_input_parameter
            label = f"fetch_{subject}" if source == subject else f"fetch_{subject} ({source})"
        labels[name] = label
    return labels


def _failure(progress: Progress, output_dir: Path) -> str:
    failed = next((record.task for record in progress.records if record.status == "failed"), "the pipeline")
    if progress.error:
        return f"{failed.replace('-', '_')}: {progress.error}"
    return f"{failed.replace('-', '_')} ended without a result; its output is above and in {output_dir / 'log.txt'}"


@contextlib.contextmanager
def _shown_by(progress: Progress) -> Iterator[None]:
    """Redirects stdout and the root logger's records to `progress`."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = [ProgressHandler(progress)]
    root.setLevel(logging.INFO)
    try:
        with contextlib.redirect_stdout(progress):
            yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextlib.contextmanager
def _terminated_by_signal() -> Iterator[None]:
    """Makes SIGTERM end the run as Ctrl-C does, so that the running step is terminated too."""

    def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _children_ended() -> Iterator[None]:
    """Terminates the child processes if the block is interrupted; only a terminal sends Ctrl-C to them."""
    try:
        yield
    except KeyboardInterrupt:
        import psutil

        children = psutil.Process().children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.terminate()  # not SIGINT: a background job of a shell and its children ignore it
        _, alive = psutil.wait_procs(children, timeout=_CHILD_GRACE_SECONDS)
        for child in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        raise


def _publish(outputs: dict[str, Any], output_dir: Path) -> None:
    """Copies the report and the deployment into the output folder; each appears whole or not at all."""
    report, deployment = Path(outputs["report"].path), Path(outputs["deployment"].path)
    for name in RESULTS:
        with publishing_file(output_dir / name) as partial:
            shutil.copyfile(report / name, partial)
    with publishing(output_dir / DEPLOYMENT, replace=True) as staging:
        shutil.copytree(deployment, staging, dirs_exist_ok=True)
