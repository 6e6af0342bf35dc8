"""The component `fetch_model`."""

from sparse_pipelines.components.models.fetch_model.component import fetch_model

__all__ = ["fetch_model"]
