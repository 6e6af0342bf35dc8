"""The deployment: an ONNX file and all that an application needs to use it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ArtifactError
from sparse_core.store import MANIFEST_NAME, write_json

ONNX_NAME = "model.onnx"
LABELS_NAME = "labels.json"
VERIFICATION_NAME = "verification.json"
EXPORT_STEP = "export_onnx"


class DeploymentRecord(RunRecord):
    """The record of a deployment; it also holds what a model's answers depend on."""

    task: str = ""
    task_args: dict[str, Any] = {}
    max_seq_length: int = 0
    """Longest row, in tokens, when the model was measured."""
    source: str = ""
    """Folder of the model that was exported, where the export was made without a dataset artifact."""
    opset: int = 0
    weight_type: str = ""
    inputs: list[str] = []
    """Names of the graph's inputs."""
    versions: dict[str, str] = {}
    """Versions of the packages that made the file."""


@dataclass(frozen=True)
class Deployment:
    """A folder that an export wrote.

    Attributes:
        directory: the folder.
        onnx_name: name of the ONNX file.
    """

    directory: Path
    onnx_name: str = ONNX_NAME

    @property
    def onnx(self) -> Path:
        """The ONNX file."""
        return self.directory / self.onnx_name

    def record(self) -> DeploymentRecord | None:
        """What made the deployment; None for a folder that no export has written.

        Raises:
            ArtifactError: the record is damaged, or was written by a newer version of this library.
        """
        record = DeploymentRecord.read(self.directory)
        return record if record is not None and record.step == EXPORT_STEP else None

    def labels(self) -> list[str]:
        """Names of the labels in the order of the logits; empty where the task has none.

        Raises:
            ArtifactError: the file is damaged.
        """
        return self._read(LABELS_NAME) or []

    def write_labels(self, names: list[str]) -> None:
        """Writes the names of the labels, in the order of the logits; no file where there are none."""
        if names:
            write_json(self.directory / LABELS_NAME, names)

    def verification(self) -> dict[str, Any]:
        """What the export measured when it compared torch with ONNX Runtime; empty where it compared no rows.

        Raises:
            ArtifactError: the file is damaged.
        """
        return self._read(VERIFICATION_NAME) or {}

    def write_verification(self, verification: dict[str, Any]) -> None:
        """Writes what the export measured."""
        write_json(self.directory / VERIFICATION_NAME, verification)

    def foreign_file(self) -> str | None:
        """A file of the folder that no export has written; None where every file is an export's."""
        record = self.record()
        known = {MANIFEST_NAME, *(record.files if record is not None else ())}
        names = (file.relative_to(self.directory).as_posix() for file in self.directory.rglob("*") if file.is_file())
        return next((name for name in sorted(names) if name not in known), None)

    def _read(self, name: str) -> Any:
        path = self.directory / name
        if not path.is_file():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ArtifactError("deployment", f"{path} is damaged ({error})", fix="export the model again") from None
