"""The KFP component `fetch_recipe`, written by `make components` from its step. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch_recipe(
    resolved_recipe: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    recipe: str,
    recipe_args: str = "",
) -> None:
    """Writes `recipe.yaml`: the recipe with recipe_args applied and every expression evaluated.

    Args:
        resolved_recipe: The recipe, with values in place of its variables.
        metrics: The numbers that the step returns, and step_seconds.
        recipe: Name of a built-in recipe, a .yaml, .yml or .md file, a folder with a recipe.yaml, a SparseZoo stub
            (zoo:...), or the recipe's text.
        recipe_args: New values for the recipe's variables, as a JSON object or as name=value,name=value.
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.fetch_recipe import fetch_recipe as step

    run_step(
        step,
        metrics,
        output=resolved_recipe,
        recipe=recipe,
        recipe_args=recipe_args,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(fetch_recipe, package_path=__file__.replace(".py", ".yaml"))
