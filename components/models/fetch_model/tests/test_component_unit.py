from __future__ import annotations

from sparse_core.steps.fetch_model import fetch_model as step
from sparse_pipelines.components.models.fetch_model import fetch_model


def test_component_has_the_settings_of_its_step(assert_mirrors_step):
    assert_mirrors_step(fetch_model, step, output="fetched_model")


def test_artifacts_are_typed(artifact_types):
    inputs, outputs = artifact_types(fetch_model)
    assert inputs == {}
    assert outputs == {"fetched_model": "Model", "metrics": "Metrics"}
