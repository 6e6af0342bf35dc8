from __future__ import annotations

from sparse_core.steps.export_onnx import export_onnx as step
from sparse_pipelines.components.deployment.export_onnx import export_onnx


def test_component_has_the_settings_of_its_step(assert_mirrors_step):
    assert_mirrors_step(export_onnx, step, output="deployment")


def test_artifacts_are_typed(artifact_types):
    inputs, outputs = artifact_types(export_onnx)
    assert inputs == {"model": "Model", "dataset": "Dataset"}
    assert outputs == {"deployment": "Model", "metrics": "Metrics"}
