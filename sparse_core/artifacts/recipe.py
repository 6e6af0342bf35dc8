"""The recipe artifact: a recipe with its variables worked out."""

from __future__ import annotations

RECIPE_NAME = "recipe.yaml"
"""The recipe in its own artifact, and the recipe that a model was trained by, beside the model."""
