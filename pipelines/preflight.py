"""Checks the inputs before the first step, so that a mistake ends a run in a second and not after an hour.

`load_config` checks the ranges of the settings. The checks of this module read the inputs themselves.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparse_core import recipe as recipes
from sparse_core.artifacts.model import Model
from sparse_core.errors import renamed_settings
from sparse_core.recipe import load_recipe
from sparse_core.recipe.sources import read_source
from sparse_core.sources.data.splits import DataChoice, with_named_task
from sparse_core.sources.models.find import find_model, is_local
from sparse_core.sources.zoo.stubs import is_stub, model_source
from sparse_core.steps.fetch_model import CONTENT_PREFIX
from sparse_core.store import identity, is_object
from sparse_core.tasks import get_task

from .config import RunConfig

_MODELS = {"model": "model_revision", "teacher_model": "teacher_model_revision"}
_RECIPES = {"recipe": "recipe_args", "teacher_recipe": "teacher_recipe_args"}


def preflight(config: RunConfig) -> None:
    """Refuses a run that its steps would refuse.

    Raises:
        SparseCoreError: no data is named; a file is missing or empty; the task has no such option; a recipe cannot be
            loaded or never prunes; a local model lacks a file; an engine or a package for the training arguments is not
            installed. The error has the line of the config.
    """
    with config.located():
        _check_data(config.values)
        _check_recipes(config)
        _check_benchmark_and_models(config.values)
        _check_training(config)


def run_parameters(config: RunConfig) -> dict[str, Any]:
    """The pipeline's parameters, including the content of local inputs.

    KFP's cache key contains the parameters, so a changed file reruns the steps that depend on it. Files and models are
    represented by the identity of their content, and a local recipe by its text.
    """
    values = dict(config.values)
    for name, revision in _MODELS.items():
        if values.get(name) and is_local(values[name]):
            values[revision] = CONTENT_PREFIX + identity(Path(values[name]))
    for name in _RECIPES:
        if "\n" not in values[name] and Path(values[name]).exists():
            _, values[name] = read_source(values[name])
    parameters = config.pipeline.parameters(values)
    paths = [path for path in _choice(values).local_paths() if path.exists()]
    if paths:
        parameters["dataset_options"]["content_hash"] = identity(*paths)
    return parameters


def _choice(values: Any) -> DataChoice:
    return DataChoice(**{name: values[name] for name in DataChoice.__dataclass_fields__})


def _check_data(values: Any) -> None:
    choice, _ = with_named_task(_choice(values), values["task"], values["task_name"])
    choice.require_usable()
    get_task(values["task"], values["task_args"])


def _check_recipes(config: RunConfig) -> None:
    for name, arguments in _RECIPES.items():
        with renamed_settings({"recipe": name, "recipe_args": arguments}):
            recipe = load_recipe(config.values[name], config.values[arguments] or None)
            if name == "recipe":
                getattr(recipes, config.pipeline.recipe_rule)(recipe)


def _check_benchmark_and_models(values: Any) -> None:
    from sparse_core.benchmark.engines import select_engines
    from sparse_core.benchmark.options import BenchmarkOptions, require_positions, split_names
    from sparse_core.tasks.tokenizers import max_tokens

    options = BenchmarkOptions(**{name: values[name] for name in BenchmarkOptions.model_fields})
    select_engines(split_names(options.engines))
    lengths = {
        "sequence_lengths": max(options.sorted_sequence_lengths),
        "max_seq_length": values["max_seq_length"],
    }
    for name, revision in _MODELS.items():
        model = values.get(name)
        if not model:
            continue
        with renamed_settings({"model": name, "revision": revision}):
            if _is_on_hub(model):
                continue
            folder = Model(find_model(model, values[revision]))
            max_positions = max_tokens(folder.config())
            folder.weight_files(allow_pickles=True)
            folder.tokenizer_files()
        require_positions(lengths, f"the model {folder.directory}", max_positions)


def _is_on_hub(model: str) -> bool:
    """Whether the model is a hub id or a stub of one, and will be downloaded."""
    if is_stub(model):
        return isinstance(model_source(model), str)
    return not (is_local(model) or is_object(model))


def _check_training(config: RunConfig) -> None:
    if not config.values["training_arguments"]:
        return  # the other settings are already checked, and loading torch takes seconds
    from sparse_core.training.options import TrainingOptions
    from sparse_core.training.step_arguments import step_arguments

    options = TrainingOptions(**{name: config.values[name] for name in TrainingOptions.model_fields})
    step_arguments(options, config.output_dir)
