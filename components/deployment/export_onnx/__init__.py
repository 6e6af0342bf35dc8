"""The component `export_onnx`."""

from sparse_pipelines.components.deployment.export_onnx.component import export_onnx

__all__ = ["export_onnx"]
