"""Recipes: what a training does to a model and in which epochs, read from SparseML's YAML."""

from __future__ import annotations

from sparse_core.recipe.check import CheckRow, check_recipe, format_check
from sparse_core.recipe.loader import load_recipe
from sparse_core.recipe.schema import Recipe, require_gradual_pruning, require_pruning
from sparse_core.recipe.show import show_recipe
from sparse_core.recipe.sources import builtin_recipes
from sparse_core.recipe.timeline import timeline_svg

__all__ = [
    "CheckRow",
    "Recipe",
    "builtin_recipes",
    "check_recipe",
    "format_check",
    "load_recipe",
    "require_gradual_pruning",
    "require_pruning",
    "show_recipe",
    "timeline_svg",
]
