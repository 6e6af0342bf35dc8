"""Components are made from the steps, and KFP takes them."""

from __future__ import annotations

import datetime
import subprocess
import sys

import pytest
import yaml

from sparse_core.steps.registry import STEPS, load_step
from sparse_pipelines.components.generate import (
    MAX_CANDIDATES,
    component_folders,
    load_component,
    render_component,
    render_readme,
)

FOLDERS = component_folders()
ARTIFACTS = {
    "fetch_dataset": ({}, {"dataset": "Dataset"}),
    "fetch_model": ({}, {"fetched_model": "Model"}),
    "fetch_recipe": ({}, {"resolved_recipe": "Artifact"}),
    "train_teacher": ({"model": "Model", "dataset": "Dataset", "recipe": "Artifact"}, {"teacher": "Model"}),
    "prune": (
        {"model": "Model", "dataset": "Dataset", "recipe": "Artifact", "teacher": "Model"},
        {"sparse_model": "Model"},
    ),
    "sparse_transfer": (
        {"model": "Model", "dataset": "Dataset", "recipe": "Artifact", "teacher": "Model"},
        {"sparse_model": "Model"},
    ),
    "qat_finalize": (
        {"model": "Model", "dataset": "Dataset", "recipe": "Artifact", "teacher": "Model"},
        {"quantized_model": "Model"},
    ),
    "export_onnx": ({"model": "Model", "dataset": "Dataset"}, {"deployment": "Model"}),
}


def _formatted(code: str) -> str:
    command = [sys.executable, "-m", "ruff", "format", "--line-length", "120", "-"]
    return subprocess.run(command, input=code, capture_output=True, text=True, check=True).stdout


def _artifacts(items):
    types = {name: item.type.partition("@")[0] for name, item in items.items()}
    return {name: text.removeprefix("system.") for name, text in types.items() if text.startswith("system.")}


def test_there_is_one_component_for_each_step():
    assert [folder.name for folder in FOLDERS] == list(STEPS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_files_are_those_that_the_step_gives(folder):
    assert (folder / "component.py").read_text(encoding="utf-8") == _formatted(render_component(folder)), (
        "`make components` rewrites it"
    )
    assert (folder / "README.md").read_text(encoding="utf-8") == render_readme(folder), "`make components` rewrites it"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_kfp_sees_the_settings_and_artifacts_of_the_step(folder):
    step, spec = load_step(folder.name), load_component(folder).component_spec
    artifacts = {
        n: i.type.partition("@")[0].removeprefix("system.") for n, i in spec.inputs.items() if "system." in i.type
    }
    outputs = {name: item.type.partition("@")[0].removeprefix("system.") for name, item in spec.outputs.items()}
    assert outputs.pop("metrics") == "Metrics"
    if step.name in ARTIFACTS:
        assert (artifacts, outputs) == ARTIFACTS[step.name]
    groups = {setting.group for setting in step.settings() if setting.group}
    flat = {setting.name for setting in step.settings() if not setting.group}
    many = {name for port in step.inputs if port.many for name in (f"{port.name.removesuffix('s')}_names",)}
    assert set(spec.inputs) - set(artifacts) == groups | flat | many
    assert sum(name.startswith("candidate_") for name in artifacts) in (0, MAX_CANDIDATES)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_folder_has_the_required_files_and_fields(folder):
    for name in ("__init__.py", "component.py", "metadata.yaml", "OWNERS", "README.md"):
        assert (folder / name).is_file()
    metadata = yaml.safe_load((folder / "metadata.yaml").read_text())
    assert metadata["name"] == folder.name
    assert metadata["stability"] in ("experimental", "alpha", "beta", "stable")
    assert isinstance(metadata["lastVerified"], datetime.datetime)
    (kubeflow,) = metadata["dependencies"]["kubeflow"]
    assert kubeflow == {"name": "Pipelines", "version": ">=2.17.0"}
    owners = yaml.safe_load((folder / "OWNERS").read_text())
    assert owners["approvers"] and owners["reviewers"]
