from __future__ import annotations

from sparse_core.steps.qat_finalize import qat_finalize as step
from sparse_pipelines.components.training.qat_finalize import qat_finalize


def test_component_has_the_settings_of_its_step(assert_mirrors_step):
    assert_mirrors_step(qat_finalize, step, output="quantized_model")


def test_artifacts_are_typed(artifact_types):
    inputs, outputs = artifact_types(qat_finalize)
    assert inputs == {"model": "Model", "dataset": "Dataset", "recipe": "Artifact", "teacher": "Model"}
    assert outputs == {"quantized_model": "Model", "metrics": "Metrics"}
