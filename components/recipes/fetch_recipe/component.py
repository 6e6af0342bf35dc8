"""The KFP component `fetch_recipe`: a thin call of `sparse_core.steps.fetch_recipe`.

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
    content_hash: str = "",
) -> None:
    """Writes `recipe.yaml`, the recipe with recipe_args applied and every expression worked out.

    Args:
        resolved_recipe: recipe.yaml with every variable resolved.
        metrics: the numbers that the step returns, and step_seconds.
        recipe: a built-in recipe's name, a .yaml, .yml or .md file, a directory with a recipe.yaml, or a SparseZoo stub
            (zoo:...).
        recipe_args: new values for the recipe's root variables, as a JSON object or name=value,name=value.
        content_hash: fingerprint of the recipe's file when it was submitted; empty: not checked.
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.fetch_recipe import fetch_recipe as step

    run_step(
        step,
        metrics,
        output=resolved_recipe,
        recipe=recipe,
        recipe_args=recipe_args,
        content_hash=content_hash,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(fetch_recipe, package_path=__file__.replace(".py", ".yaml"))
