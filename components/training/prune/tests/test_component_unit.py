from __future__ import annotations

from sparse_core.steps.prune import prune as step
from sparse_pipelines.components.training.prune import prune


def test_component_has_the_settings_of_its_step(assert_mirrors_step):
    assert_mirrors_step(prune, step, output="sparse_model")


def test_artifacts_are_typed(artifact_types):
    inputs, outputs = artifact_types(prune)
    assert inputs == {"model": "Model", "dataset": "Dataset", "recipe": "Artifact", "teacher": "Model"}
    assert outputs == {"sparse_model": "Model", "metrics": "Metrics"}
