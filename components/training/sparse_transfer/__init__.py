"""The component `sparse_transfer`."""

from sparse_pipelines.components.training.sparse_transfer.component import sparse_transfer

__all__ = ["sparse_transfer"]
