"""The run record: what made an artifact, from what, and with which result. It is the artifact's manifest."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sparse_core import __version__
from sparse_core.errors import ArtifactError
from sparse_core.store import MANIFEST_NAME, FileEntry, file_entries, read_manifest, write_json


class RunRecord(BaseModel):
    """The record of one run of a step, a command or a pipeline, kept as `manifest.json` in the folder that it made."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())

    newest_format: ClassVar[int] = 1
    """The format version that this library writes, and the newest that it reads."""

    format_version: int = newest_format
    step: str
    """The step, command or pipeline."""
    sparse_core: str = __version__
    """Version of this library."""
    created_unix: int = Field(default_factory=lambda: int(time.time()))
    seconds: float | None = None
    """Wall time of the run."""
    settings: dict[str, Any] = {}
    """The settings that decide the result, by name."""
    contents: dict[str, str] = {}
    """The setting that names an input -> the identity of the input's content."""
    metrics: Mapping[str, float | int | None] = {}
    """Scores and sizes of the result; null for a score that is not finite."""
    log_history: list[dict[str, Any]] = []
    """What the Trainer logged: losses, learning rates and scores, each entry with its step and epoch."""
    warnings: list[str] = []
    """Settings that had no effect."""
    files: dict[str, FileEntry] = {}
    """The files of the artifact by their relative names."""

    def write(self, directory: Path, files: Iterable[str] | None = None) -> None:
        """Writes the record with the sizes and hashes of the artifact's files, when all of them are written.

        Args:
            directory: the artifact.
            files: names of the files that belong to the artifact; None: all that are there.
        """
        entries = file_entries(directory, files)
        values = self.model_copy(update={"files": entries}).model_dump(mode="json", exclude_none=True)
        write_json(directory / MANIFEST_NAME, {name: value for name, value in values.items() if value not in ({}, [])})

    @classmethod
    def read(cls, directory: Path) -> Self | None:
        """The record of an artifact; None where the folder has none, or a `manifest.json` of another program.

        Raises:
            ArtifactError: the record is damaged, or was written by a newer version of this library.
        """
        values = read_manifest(directory)
        if not {"step", "sparse_core", "format_version"} & set(values):
            return None
        version = values.get("format_version", 0)
        if isinstance(version, int) and version > cls.newest_format:
            raise ArtifactError(
                "",
                f"{directory / MANIFEST_NAME} has format version {version}, but this version of sparse-pipelines reads "
                f"up to {cls.newest_format}",
                fix="install the version that wrote it, or a newer one",
            )
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            reason = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise ArtifactError(
                "", f"{directory / MANIFEST_NAME} is damaged ({reason})", fix="make the artifact again"
            ) from None


class TaskRun(BaseModel):
    """One task of a pipeline's run."""

    model_config = ConfigDict(frozen=True)

    task: str
    status: Literal["done", "cached", "failed"]
    wall_seconds: float
    """From the start of the task's process to its end; 0 for a cached task."""
    step_seconds: float
    """Time inside the step function; 0 where it did not finish."""


class PipelineRecord(RunRecord):
    """The record of a pipeline's run on this machine; `seconds` is its wall time."""

    tasks: list[TaskRun] = []

    @property
    def own_seconds(self) -> float:
        """Wall time outside the steps."""
        return (self.seconds or 0.0) - sum(task.step_seconds for task in self.tasks)
