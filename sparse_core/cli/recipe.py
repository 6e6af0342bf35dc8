"""The `sparse-core recipe` commands: what is built in, what a recipe says, and what it would touch in a model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.cli.parser import Parser
from sparse_core.errors import DependencyError, ModelError, OutputError, RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sparse_core.recipe import Recipe


def add_recipe_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Adds `recipe list`, `recipe show` and `recipe check` to the commands of the main parser."""
    recipe = commands.add_parser("recipe", help="List, show or check recipes.")
    actions = recipe.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=Parser)
    listing = actions.add_parser("list", help="Print the names of the built-in recipes.")
    listing.set_defaults(run=_list, parser=listing)
    show = actions.add_parser("show", help="Print a recipe as it resolves: variables, modifiers and their epochs.")
    _add_recipe(show)
    show.add_argument("--timeline", type=Path, metavar="FILE", help="also draw who acts in which epochs, as an SVG")
    show.set_defaults(run=_show, parser=show)
    check = actions.add_parser("check", help="Print which parameters of a model each modifier would touch.")
    _add_recipe(check)
    check.add_argument("--model", required=True, metavar="DIR", help="a Hugging Face model directory or hub id")
    check.set_defaults(run=_check, parser=check)


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", metavar="RECIPE", help="a built-in name, a .yaml, .yml or .md file, or a directory")
    parser.add_argument("--recipe-args", default="", metavar="JSON", help="variables to override, as a JSON object")


def _load(options: argparse.Namespace) -> Recipe:
    from sparse_core.recipe import load_recipe

    return load_recipe(options.recipe, options.recipe_args or None)


def _list(options: argparse.Namespace) -> None:
    from sparse_core.recipe import builtin_recipes

    print("\n".join(builtin_recipes()))


def _show(options: argparse.Namespace) -> None:
    from sparse_core.recipe import show_recipe, timeline_svg

    recipe = _load(options)
    print(show_recipe(recipe).rstrip())
    if options.timeline is not None:
        _write_text(options.timeline, timeline_svg(recipe))
        print(f"timeline: {options.timeline}")


def _write_text(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"--timeline: {path} cannot be written: {error.strerror}") from None


def _check(options: argparse.Namespace) -> None:
    from sparse_core.recipe import check_recipe, format_check

    recipe = _load(options)
    rows = check_recipe(recipe, _structure_of(options.model))
    print(format_check(rows).rstrip())
    num_problems = sum(bool(row.problem) for row in rows)
    if num_problems:
        raise RecipeError(f"recipe: {recipe.source} cannot run on {options.model}; see the {num_problems} above")


def _structure_of(model: str) -> PreTrainedModel:
    """The modules of a model without its weights: names and shapes are all that a check needs."""
    try:
        import torch
        from transformers import AutoConfig, AutoModelForSequenceClassification
    except ImportError:
        raise DependencyError("recipe check needs torch; install `sparse-pipelines[train]`") from None
    try:
        config = AutoConfig.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise ModelError(f"--model: {model} has no usable config.json: {' '.join(str(error).split())[:200]}") from None
    with torch.device("meta"):
        return AutoModelForSequenceClassification.from_config(config)
