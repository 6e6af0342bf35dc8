"""The component `benchmark`."""

from sparse_pipelines.components.evaluation.benchmark.component import benchmark

__all__ = ["benchmark"]
