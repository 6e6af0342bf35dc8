"""Reads a recipe, works out its variables, and leaves the result as an artifact."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from sparse_core.artifacts.recipe import RECIPE_NAME
from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import RecipeError
from sparse_core.store import identity, publishing

logger = logging.getLogger(__name__)


def fetch_recipe(output: Path, *, recipe: str, recipe_args: str = "", content_hash: str = "") -> dict[str, Any]:
    """Writes `recipe.yaml`, the recipe with recipe_args applied and every expression worked out.

    Settings that change nothing are logged as warnings and kept in the manifest.

    Args:
        output: where the recipe artifact appears.
        recipe: a built-in recipe's name, a .yaml, .yml or .md file, a directory with a recipe.yaml, or a SparseZoo stub
            (zoo:...).
        recipe_args: new values for the recipe's root variables, as a JSON object or name=value,name=value.
        content_hash: fingerprint of the recipe's file when it was submitted; empty: not checked.

    Returns:
        Length in epochs, number of modifiers, and number of settings without effect.

    Raises:
        SparseCoreError: the recipe cannot be read, its file has changed since it was submitted, or the output is in
            use.
    """
    from sparse_core.recipe import load_recipe

    loaded = load_recipe(recipe, recipe_args)
    if content_hash and "\n" not in recipe and Path(recipe).exists() and identity(Path(recipe)) != content_hash:
        raise RecipeError(f"recipe: {recipe} has changed since this run was submitted; submit the run again")
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    settings = {"recipe": loaded.source, "recipe_args": recipe_args}
    with publishing(output) as staging:
        (staging / RECIPE_NAME).write_text(loaded.to_yaml(), encoding="utf-8")
        RunRecord(step="fetch_recipe", settings=settings, warnings=list(loaded.warnings)).write(staging)
    return {
        "num_epochs": loaded.num_epochs,
        "num_modifiers": len(loaded.modifiers),
        "num_warnings": len(loaded.warnings),
    }
