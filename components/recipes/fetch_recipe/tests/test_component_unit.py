from __future__ import annotations

from sparse_core.steps.fetch_recipe import fetch_recipe as step
from sparse_pipelines.components.recipes.fetch_recipe import fetch_recipe


def test_component_has_the_settings_of_its_step(assert_mirrors_step):
    assert_mirrors_step(fetch_recipe, step, output="resolved_recipe")


def test_artifacts_are_typed(artifact_types):
    inputs, outputs = artifact_types(fetch_recipe)
    assert inputs == {}
    assert outputs == {"resolved_recipe": "Artifact", "metrics": "Metrics"}
