from __future__ import annotations

from sparse_core.steps.fetch_dataset import fetch_dataset as step
from sparse_pipelines.components.data.fetch_dataset import fetch_dataset


def test_component_has_the_settings_of_its_step(assert_mirrors_step):
    assert_mirrors_step(fetch_dataset, step, output="dataset")


def test_artifacts_are_typed(artifact_types):
    inputs, outputs = artifact_types(fetch_dataset)
    assert inputs == {}
    assert outputs == {"dataset": "Dataset", "metrics": "Metrics"}
