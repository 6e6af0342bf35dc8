"""The candidates of a benchmark: what each folder is, and whether it fits the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from sparse_core.artifacts.deployment import Deployment, DeploymentRecord
from sparse_core.artifacts.model import Model
from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ConfigError, ModelError, listed, nearest, renamed_settings
from sparse_core.store import identity

MAX_CANDIDATES = 8
_LONGEST_NAME = 40
_MAX_LISTED = 10


@dataclass(frozen=True)
class CandidateFolder:
    """A candidate as it was given.

    Attributes:
        name: what the report calls it.
        directory: a Hugging Face model, or a deployment.
        kind: which of the two.
        exported_from: for a deployment: the candidate that it was exported from; empty where that is none of them.
    """

    name: str
    directory: Path
    kind: Literal["model", "deployment"]
    exported_from: str = ""

    @property
    def setting(self) -> str:
        """The setting that gave it."""
        return setting_of(self.name)

    @property
    def onnx(self) -> Path:
        """The ONNX file of a deployment."""
        return Deployment(self.directory).onnx

    def config(self) -> dict[str, Any]:
        """Content of `config.json`.

        Raises:
            ModelError: the folder has none that can be used.
        """
        with renamed_settings({"model": self.setting}):
            return Model(self.directory).config()

    def made_by(self) -> str:
        """The step and the library version that made it; "unknown" for a folder without a run record."""
        record = RunRecord.read(self.directory)
        return f"{record.step}, sparse_core {record.sparse_core}" if record else "unknown"


def setting_of(name: str) -> str:
    """The setting that gave a candidate: an entry of the mapping `candidates`."""
    return f"candidates.{name}"


def find_candidates(paths: Mapping[str, Path]) -> list[CandidateFolder]:
    """The candidates in the order in which they were given.

    Args:
        paths: name -> a Hugging Face model folder, or a deployment folder that export_onnx wrote.

    Raises:
        ConfigError: there are none or too many, or a name cannot be used.
        ModelError: a folder is neither a model nor a deployment.
    """
    if not 1 <= len(paths) <= MAX_CANDIDATES:
        raise ConfigError("candidates", accepted=f"1 to {MAX_CANDIDATES} models, each with a name", got=len(paths))
    for name in paths:
        _require_name(name)
    folders = [CandidateFolder(name, *_detect(name, Path(path))) for name, path in paths.items()]
    return _with_sources(folders)


def choose_reference(candidates: Sequence[CandidateFolder], reference: str) -> str:
    """Name of the candidate that the others are compared with; the first one where `reference` is empty.

    Raises:
        ConfigError: no candidate has that name.
        ModelError: that candidate simulates int8 in torch, so it has no ONNX file to compare speeds with.
    """
    names = [candidate.name for candidate in candidates]
    if reference and reference not in names:
        raise ConfigError(
            "reference", accepted=f"one of the candidates {listed(names)}", got=reference, fix=nearest(reference, names)
        )
    chosen = next(candidate for candidate in candidates if candidate.name == (reference or names[0]))
    if chosen.kind == "model" and "quantization_config" in chosen.config():
        raise ModelError(
            "reference",
            f"{chosen.name} simulates int8 in torch and has no ONNX file to compare speeds with",
            fix="name a float model or a deployment",
        )
    return chosen.name


def require_fitting_deployment(
    candidate: CandidateFolder, task: str, output_names: Sequence[str], label_names: Sequence[str]
) -> None:
    """Refuses a deployment of a model for another task than the data's.

    Args:
        candidate: a deployment.
        task: name of the data's task.
        output_names: the outputs that the task reads.
        label_names: labels of the data, in their order; none where the task has none.

    Raises:
        ModelError: the deployment is of another task, or it has other outputs or labels.
    """
    import onnx

    record = DeploymentRecord.read(candidate.directory)
    outputs = [output.name for output in onnx.load(candidate.onnx, load_external_data=False).graph.output]
    labels = Deployment(candidate.directory).labels()
    if record and record.task and record.task != task:
        problem = f"is for {record.task}, and the data is for {task}"
    elif missing := [name for name in output_names if name not in outputs]:
        problem = f"has the outputs {listed(outputs)}, and {task} needs {missing[0]}"
    elif labels != list(label_names):
        problem = f"has {_listed_labels(labels)}, and the data has {_listed_labels(label_names)}"
    else:
        return
    raise ModelError(candidate.setting, f"{candidate.onnx} {problem}", fix="give a deployment for this data")


def _require_name(name: str) -> None:
    """Refuses names that tables and plots cannot show; matplotlib hides a name with a leading underscore."""
    if not (isinstance(name, str) and name[:1].isalnum() and name.isprintable() and len(name) <= _LONGEST_NAME):
        raise ConfigError(
            "candidates",
            accepted=f"names of at most {_LONGEST_NAME} printable characters that begin with a letter or a digit",
            got=name,
        )


def _detect(name: str, path: Path) -> tuple[Path, Literal["model", "deployment"]]:
    """The folder with a candidate's files, and what it is."""
    if Deployment(path).onnx.is_file():
        return path, "deployment"
    with renamed_settings({"model": setting_of(name)}):
        Model(path).config()
        Model(path).weight_files()
    return path, "model"


def _with_sources(folders: Sequence[CandidateFolder]) -> list[CandidateFolder]:
    """The candidates, each deployment with the candidate that it was exported from, found by content or by folder."""
    models = [folder for folder in folders if folder.kind == "model"]
    records = {
        folder.name: DeploymentRecord.read(folder.directory) for folder in folders if folder.kind == "deployment"
    }
    exported = {
        name: record.contents["model"] for name, record in records.items() if record and record.contents.get("model")
    }
    by_content = {identity(model.directory): model.name for model in models} if exported else {}
    by_folder = {model.directory.resolve(): model.name for model in models}

    def source_of(folder: CandidateFolder) -> str:
        record = records.get(folder.name)
        if record is None:
            return ""
        by_record = by_folder.get(Path(record.source).resolve(), "") if record.source else ""
        return by_content.get(exported.get(folder.name, ""), by_record)

    return [replace(folder, exported_from=source_of(folder)) for folder in folders]


def _listed_labels(labels: Sequence[str]) -> str:
    more = ", ..." if len(labels) > _MAX_LISTED else ""
    return f"the labels {listed(labels[:_MAX_LISTED])}{more}" if labels else "no labels"
