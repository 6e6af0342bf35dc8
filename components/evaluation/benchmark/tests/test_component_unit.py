from __future__ import annotations

from sparse_core.steps.benchmark import benchmark as step
from sparse_pipelines.components.evaluation.benchmark import benchmark


def test_component_has_the_settings_of_its_step(assert_mirrors_step):
    assert_mirrors_step(benchmark, step, output="report")


def test_artifacts_are_typed(artifact_types):
    inputs, outputs = artifact_types(benchmark)
    assert inputs == {
        "teacher": "Model",
        "sparse": "Model",
        "quantized": "Model",
        "deployment": "Model",
        "dataset": "Dataset",
    }
    assert outputs == {"report": "Artifact", "html": "HTML", "metrics": "Metrics"}
