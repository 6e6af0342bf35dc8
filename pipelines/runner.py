"""Runs a pipeline on this machine through kfp.local: cached by content, one run at a time in a folder."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import sparse_core
from sparse_core.errors import DependencyError, SparseCoreError
from sparse_core.store import identity, locked, write_json

from .config import PipelineConfig
from .preflight import content_hashes, preflight
from .progress import Progress, ProgressHandler, TaskRecord

_RESULT_LIBRARIES = ("torch", "transformers", "datasets", "onnx", "onnxruntime")
_CHILD_GRACE_SECONDS = 10


class StepError(SparseCoreError):
    """A step of the pipeline that did not succeed."""


def run_pipeline(config: PipelineConfig) -> dict[str, Any]:
    """Runs the pipeline and puts its results at fixed places in the output folder.

    A step whose inputs, settings and code are those of an earlier run is not run again.

    Returns:
        The content of `run.json`: seconds of each task, of the whole, and what the pipeline itself took.

    Raises:
        SparseCoreError: an input that cannot be used, an output folder in use, or a step that failed.
        KeyboardInterrupt: after the running step has been ended.
    """
    started = time.perf_counter()
    output_dir = Path(config.output_dir)
    with locked(output_dir), _terminated_by_signal():
        preflight(config)
        parameters = {**config.parameters(), **content_hashes(config)}
        outputs, records = _execute(config.pipeline, parameters, output_dir)
        _publish(outputs, output_dir)
        return _write_run(config, records, time.perf_counter() - started)


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
        raise DependencyError("pipelines need kfp 2.17; install `sparse-pipelines[kfp]`") from None
    return getattr(module, name)


def code_fingerprint() -> str:
    """Fingerprint of this library's sources and of the versions of the libraries that its results depend on.

    KFP's cache key does not hold them, and a result of older code must not pass for one of newer code.
    """
    root = Path(sparse_core.__file__).parent
    parts: list[Path | str] = []
    for file in sorted(path for path in root.rglob("*") if path.is_file() and path.suffix != ".pyc"):
        parts += [file.relative_to(root).as_posix(), file]
    for library in _RESULT_LIBRARIES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            parts.append(f"{library}=={importlib.metadata.version(library)}")
    return identity(*parts)


def _execute(name: str, parameters: dict[str, Any], output_dir: Path) -> tuple[dict[str, Any], list[TaskRecord]]:
    pipeline = load_pipeline(name)
    from kfp import local

    local.init(
        local.SubprocessRunner(use_venv=False),
        pipeline_root=str(output_dir / "steps"),
        raise_on_error=False,
        enable_caching=True,
        cache_root=str(output_dir / "steps" / f".cache-{code_fingerprint()[:16]}"),
    )
    with (output_dir / "log.txt").open("w", buffering=1, encoding="utf-8") as log:
        progress = Progress(task_labels(pipeline.pipeline_spec), sys.stdout, log)
        with _shown_by(progress), _children_ended():
            outputs = pipeline(**parameters).outputs
    if not outputs:
        raise StepError(_failure(progress, output_dir))
    return outputs, progress.records


def task_labels(spec: Any) -> dict[str, str]:
    """Name of each task as KFP shows it to a readable one; two tasks of one component are told apart by their input.

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
    """Sends stdout and the root logger's records to `progress`."""
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
    """Lets SIGTERM end the run as Ctrl-C does, so that the running step is ended too."""

    def interrupt(signum: int, frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _children_ended() -> Iterator[None]:
    """Ends the processes below this one when the block is interrupted; Ctrl-C reaches them by the terminal only."""
    try:
        yield
    except KeyboardInterrupt:
        import psutil

        children = psutil.Process().children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.terminate()  # a shell's background job ignores SIGINT, and so do its children
        _, alive = psutil.wait_procs(children, timeout=_CHILD_GRACE_SECONDS)
        for child in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        raise


def _publish(outputs: dict[str, Any], output_dir: Path) -> None:
    """Copies the report and the deployment to where the user looks for them; each appears whole or not at all."""
    report, deployment = Path(outputs["report"].path), Path(outputs["deployment"].path)
    for name in ("report.html", "report.json"):
        partial = output_dir / f".{name}.partial"
        shutil.copyfile(report / name, partial)
        partial.replace(output_dir / name)
    _replace_directory(deployment / "deployment", output_dir / "deployment")


def _replace_directory(source: Path, target: Path) -> None:
    partial, old = (target.with_name(f".{target.name}.{word}") for word in ("partial", "old"))
    for leftover in (partial, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(source, partial)
    if target.exists():
        target.rename(old)
    partial.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _write_run(config: PipelineConfig, records: list[TaskRecord], wall_seconds: float) -> dict[str, Any]:
    step_seconds = sum(record.step_seconds for record in records)
    run = {
        "pipeline": config.pipeline,
        "wall_seconds": round(wall_seconds, 3),
        "steps_seconds": round(step_seconds, 3),
        "pipeline_seconds": round(wall_seconds - step_seconds, 3),
        "tasks": [vars(record) for record in records],
        "config": json.loads(config.model_dump_json()),
    }
    write_json(Path(config.output_dir) / "run.json", run)
    return run
