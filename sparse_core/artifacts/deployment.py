"""The deployment: an ONNX file and all that an application needs to use it."""

from __future__ import annotations

from typing import Any

from sparse_core.artifacts.record import RunRecord


class DeploymentRecord(RunRecord):
    """The record of a deployment; what a model's answers depend on stands in it too."""

    task: str = ""
    task_args: dict[str, Any] = {}
    max_seq_length: int = 0
    """Most tokens in a row when the model was measured."""
    source: str = ""
    """Folder of the model that was exported, where the export was made beside it."""
    opset: int = 0
    weight_type: str = ""
    inputs: list[str] = []
    """Names of the graph's inputs."""
    versions: dict[str, str] = {}
    """Versions of the packages that made the file."""
