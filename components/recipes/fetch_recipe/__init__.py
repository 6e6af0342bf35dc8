"""The component `fetch_recipe`."""

from sparse_pipelines.components.recipes.fetch_recipe.component import fetch_recipe

__all__ = ["fetch_recipe"]
