"""The component `qat_finalize`."""

from sparse_pipelines.components.training.qat_finalize.component import qat_finalize

__all__ = ["qat_finalize"]
