"""The `sparse-core recipe` commands: list the built-in recipes, show a recipe, check it on a model."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.cli.parser import Parser
from sparse_core.errors import DependencyError, ModelError, OutputError, RecipeError, renamed_settings
from sparse_core.tasks import TASKS, task_class

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sparse_core.recipe import Recipe

_DEFAULT_TASK = "text_classification"
_FLAGS = {"model": "--model", "recipe_args": "--recipe-args", "timeline": "--timeline"}
"""Setting of the library -> the flag of this command."""


def add_recipe_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Adds `recipe list`, `recipe show` and `recipe check` to the commands of the main parser."""
    recipe = commands.add_parser("recipe", help="List, show or check recipes.")
    actions = recipe.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=Parser)
    listing = actions.add_parser("list", help="Print the names of the built-in recipes.")
    listing.set_defaults(run=_list, parser=listing)
    show = actions.add_parser(
        "show", help="Print the variables, modifiers and epochs of a recipe with their final values."
    )
    _add_recipe(show)
    show.add_argument(
        "--timeline", type=Path, metavar="FILE", help="also write an SVG that shows in which epochs each modifier acts"
    )
    show.set_defaults(run=_with_flags(_show), parser=show)
    check = actions.add_parser("check", help="Print which parameters of a model each modifier would change.")
    _add_recipe(check)
    check.add_argument("--model", required=True, metavar="MODEL", help="a model folder, hub id or zoo: stub")
    check.add_argument(
        "--task",
        choices=TASKS,
        metavar="TASK",
        help=f"the model's head in the training: {', '.join(TASKS)} (default: its present head; "
        "text_classification for an encoder or a language model)",
    )
    check.set_defaults(run=_with_flags(_check), parser=check)


def _add_recipe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe", metavar="RECIPE", help="a built-in name, a .yaml, .yml or .md file, a folder, or a zoo: stub"
    )
    parser.add_argument(
        "--recipe-args", default="", metavar="JSON", help="new values for the recipe's variables, as a JSON object"
    )


def _with_flags(action: Callable[[argparse.Namespace], None]) -> Callable[[argparse.Namespace], None]:
    """Wraps the action so that its errors name the flags."""

    def run(options: argparse.Namespace) -> None:
        with renamed_settings(_FLAGS):
            action(options)

    return run


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
        raise OutputError("timeline", f"{path} cannot be written: {error.strerror}") from None


def _check(options: argparse.Namespace) -> None:
    from sparse_core.recipe import check_recipe, format_check

    recipe = _load(options)
    rows = check_recipe(recipe, _structure_of(options.model, options.task or ""))
    print(format_check(rows).rstrip())
    num_problems = sum(row.problem is not None for row in rows)
    if num_problems:
        problems = f"{num_problems} problem{'' if num_problems == 1 else 's'}"
        raise RecipeError("recipe", f"{recipe.source} cannot run on {options.model}", fix=f"see the {problems} above")


def _structure_of(model: str, task: str) -> PreTrainedModel:
    """The modules of a model without its weights; a check needs only names and shapes."""
    from sparse_core.artifacts.model import Model
    from sparse_core.sources.models.find import find_model

    try:
        import torch
        import transformers
    except ImportError:
        raise DependencyError("recipe check", "needs torch", fix="install `sparse-pipelines[train]`") from None
    directory = find_model(model, config_only=True)
    own_task = _task_of(Model(directory).config())
    auto_class = getattr(transformers, task_class(task or own_task).head.auto_class)
    try:
        config = transformers.AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        with torch.device("meta"):
            return auto_class.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ModelError("model", f"{model} cannot be loaded as {auto_class.__name__} ({reason})") from None


def _task_of(config: dict[str, Any]) -> str:
    """The task of a model's head; for an encoder or a language model, the default task."""
    architecture = str((config.get("architectures") or [""])[0])
    for task in TASKS:
        head = task_class(task).head
        if not head.is_pretraining and architecture.endswith(head.class_ending):
            return task
    return _DEFAULT_TASK
