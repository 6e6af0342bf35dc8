from __future__ import annotations

import datetime

import pytest
import yaml

from sparse_pipelines.components.readme import component_folders, render

FOLDERS = component_folders()


def test_there_is_one_component_for_each_step():
    from sparse_core.cli.main import STEPS

    assert sorted(folder.name for folder in FOLDERS) == sorted(STEPS)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_readme_is_made_from_the_signature(folder):
    assert (folder / "README.md").read_text(encoding="utf-8") == render(folder), "`make readmes` rewrites it"


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
