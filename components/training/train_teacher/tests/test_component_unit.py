from __future__ import annotations

from sparse_core.steps.train_teacher import train_teacher as step
from sparse_pipelines.components.training.train_teacher import train_teacher


def test_component_has_the_settings_of_its_step(assert_mirrors_step):
    assert_mirrors_step(train_teacher, step, output="teacher")


def test_artifacts_are_typed(artifact_types):
    inputs, outputs = artifact_types(train_teacher)
    assert inputs == {"model": "Model", "dataset": "Dataset", "recipe": "Artifact"}
    assert outputs == {"teacher": "Model", "metrics": "Metrics"}
