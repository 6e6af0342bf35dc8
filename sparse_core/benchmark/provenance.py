"""What the artifacts under test say about themselves: configuration, training log, and the step that made them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sparse_core.artifacts.model import Model
from sparse_core.benchmark.plot_data import own_entries
from sparse_core.errors import ModelError
from sparse_core.store import read_manifest

_LABELS_NAME = "labels.json"
_DEPLOYED_MODEL = Path("deployment") / "model.onnx"
_MAX_LISTED = 10


def deployed_model(export: Path) -> Path:
    """The ONNX file inside the output of `export_onnx`.

    Raises:
        ModelError: there is none.
    """
    path = export / _DEPLOYED_MODEL
    if not path.is_file():
        raise ModelError(f"deployment: {export} holds no {_DEPLOYED_MODEL}; give the output folder of export_onnx")
    return path


def require_same_task(export: Path, task: str, output_names: Sequence[str], label_names: Sequence[str]) -> None:
    """Refuses the output of `export_onnx` for a model of another task than the data's.

    Args:
        export: the output of export_onnx.
        task: name of the data's task.
        output_names: what the task reads of a model.
        label_names: labels of the data in their order; none where the task has no such.

    Raises:
        ModelError: there is no ONNX file, it is of another task, or it has other outputs or labels.
    """
    import onnx

    path = deployed_model(export)
    other = read_manifest(path.parent).get("task", task)
    outputs = [output.name for output in onnx.load(path, load_external_data=False).graph.output]
    labels_file = path.parent / _LABELS_NAME
    labels = json.loads(labels_file.read_text(encoding="utf-8")) if labels_file.is_file() else []
    if other != task:
        found = f"is for {other}, and the data is for {task}"
    elif missing := [name for name in output_names if name not in outputs]:
        found = f"has the outputs {', '.join(outputs)}, and {task} needs {missing[0]}"
    elif labels != list(label_names):
        found = f"has {_listed(labels)}, and the data has {_listed(label_names)}"
    else:
        return
    raise ModelError(f"deployment: {path} {found}; give the output folder of export_onnx for the model under test")


def _listed(labels: Sequence[str]) -> str:
    more = ", ..." if len(labels) > _MAX_LISTED else ""
    return f"the labels {', '.join(labels[:_MAX_LISTED])}{more}" if labels else "no labels"


def made_by(artifact: Path) -> str:
    """The step and library version that made an artifact, or "given" for a directory without a manifest."""
    manifest = read_manifest(artifact)
    return f"{manifest['step']}, sparse_core {manifest['sparse_core']}" if manifest else "given"


def report_title(config: Mapping[str, Any], task: str) -> str:
    """What was measured, in words: "bert, 6 layers of 384, text classification"."""
    size = f", {config['num_hidden_layers']} layers of {config['hidden_size']}" if "num_hidden_layers" in config else ""
    return f"{config['model_type']}{size}, {task.replace('_', ' ')}"


def command_line(step: str, arguments: Mapping[str, Any]) -> str:
    """The shell command that runs a step with these arguments; empty texts are left out."""
    given = {name.replace("_", "-"): str(value) for name, value in arguments.items() if value != ""}
    options = [f"--{name} {shlex.quote(value)}" for name, value in given.items()]
    return " \\\n  ".join([f"sparse-core {step}", *options])


def read_verification(export: Path) -> dict[str, Any]:
    """What `export_onnx` found when it compared torch and ONNX Runtime; empty when it left no record."""
    return _read_json(export / "verification.json")


def training_runs(artifacts: Sequence[tuple[str, Path]]) -> list[dict[str, Any]]:
    """Name and log_history of each artifact that was trained, without entries taken over from an earlier one."""
    runs: list[dict[str, Any]] = []
    earlier: list[dict] = []
    for name, directory in artifacts:
        if entries := own_entries(Model(directory).log_history(), earlier):
            runs.append({"name": name, "log_history": entries})
        earlier.extend(entries)
    return runs


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
