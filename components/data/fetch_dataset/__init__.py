"""The component `fetch_dataset`."""

from sparse_pipelines.components.data.fetch_dataset.component import fetch_dataset

__all__ = ["fetch_dataset"]
