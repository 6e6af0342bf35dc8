"""The component `prune`."""

from sparse_pipelines.components.training.prune.component import prune

__all__ = ["prune"]
