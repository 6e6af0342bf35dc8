"""Step: read a recipe and write it as an artifact, with the values of its variables."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pydantic import Field

from sparse_core.artifacts.recipe import RECIPE_NAME
from sparse_core.artifacts.record import RunRecord
from sparse_core.fields import JsonText, Options
from sparse_core.steps.spec import Kind, Port, step
from sparse_core.store import publishing

logger = logging.getLogger(__name__)


class FetchRecipeSettings(Options):
    """Settings of `fetch_recipe`."""

    recipe: str = Field(
        min_length=1,
        description="Name of a built-in recipe, a .yaml, .yml or .md file, a folder with a recipe.yaml, a SparseZoo "
        "stub (zoo:...), or the recipe's text.",
    )
    recipe_args: JsonText = Field(
        "", description="New values for the recipe's variables, as a JSON object or as name=value,name=value."
    )


@step(
    output=Port("resolved_recipe", Kind.RECIPE, "The recipe, with values in place of its variables."),
    settings=FetchRecipeSettings,
)
def fetch_recipe(output: Path, settings: FetchRecipeSettings) -> dict[str, Any]:
    """Writes `recipe.yaml`: the recipe with recipe_args applied and every expression evaluated.

    Settings of the recipe that have no effect are logged as warnings and kept in the manifest.

    Returns:
        Length in epochs, number of modifiers, and number of settings without effect.

    Raises:
        SparseCoreError: the recipe cannot be read.
    """
    from sparse_core.recipe import load_recipe

    loaded = load_recipe(settings.recipe, settings.recipe_args)
    for warning in loaded.warnings:
        logger.warning("%s", warning)
    used = {"recipe": loaded.source, "recipe_args": settings.recipe_args}
    with publishing(output) as staging:
        (staging / RECIPE_NAME).write_text(loaded.to_yaml(), encoding="utf-8")
        RunRecord(step="fetch_recipe", settings=used, warnings=list(loaded.warnings)).write(staging)
    return {
        "num_epochs": loaded.num_epochs,
        "num_modifiers": len(loaded.modifiers),
        "num_warnings": len(loaded.warnings),
    }
