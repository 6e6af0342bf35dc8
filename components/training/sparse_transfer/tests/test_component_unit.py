from __future__ import annotations

from sparse_core.steps.sparse_transfer import sparse_transfer as step
from sparse_pipelines.components.training.sparse_transfer import sparse_transfer


def test_component_has_the_settings_of_its_step(assert_mirrors_step):
    assert_mirrors_step(sparse_transfer, step, output="sparse_model")


def test_artifacts_are_typed(artifact_types):
    inputs, outputs = artifact_types(sparse_transfer)
    assert inputs == {"model": "Model", "dataset": "Dataset", "recipe": "Artifact", "teacher": "Model"}
    assert outputs == {"sparse_model": "Model", "metrics": "Metrics"}
