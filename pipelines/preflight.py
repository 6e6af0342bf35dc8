"""Checks that need no training, made before the first step: bad input ends a run in a second, not after an hour."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from sparse_core.artifacts.model import Model
from sparse_core.benchmark.settings import BenchmarkSettings, parse_settings
from sparse_core.errors import RecipeError, SparseCoreError
from sparse_core.export.settings import require_settings
from sparse_core.recipe import load_recipe, require_gradual_pruning, require_pruning
from sparse_core.sources.data.splits import DataChoice, with_named_task
from sparse_core.sources.models.find import find_model, is_local
from sparse_core.sources.zoo.stubs import is_stub, model_source
from sparse_core.store import identity, is_object
from sparse_core.tasks import get_task, parse_task_args
from sparse_core.tasks.tokenizers import max_tokens

from .config import PipelineConfig, local_paths

MODEL_FIELDS = ("model", "teacher_model")
_REQUIRED_OF_RECIPE = {"sparse_transfer": require_pruning, "sparsify": require_gradual_pruning}


def preflight(config: PipelineConfig) -> None:
    """Refuses a run on this machine whose settings or inputs cannot work, by the rules of the steps themselves.

    Raises:
        DataError: no data is named, or a file is missing or empty.
        ConfigError: there is no such task, or it has no such option; or a setting of the training, the export or the
            benchmark is not one of those accepted.
        DependencyError: an engine, or a package that the training arguments need, is not installed.
        RecipeError: a recipe does not load, or never prunes.
        ModelError: a local model directory lacks a file that every step needs, or a stub stands for no model.
    """
    _check_data(config)
    _called_with(require_settings, config)
    benchmark = _called_with(parse_settings, config)
    _check_recipes(config)
    _check_models(config, benchmark)
    _check_training(config)


def content_hashes(config: PipelineConfig) -> dict[str, str]:
    """Fingerprints of the local inputs by pipeline parameter; empty where an input is not local.

    They are part of KFP's cache key: a changed file redoes the steps that depend on it.
    """
    return {
        parameter: identity(*paths) if (paths := local_paths(config, inputs)) else ""
        for parameter, inputs in config.local_inputs.items()
    }


def _check_data(config: PipelineConfig) -> None:
    named = {field.name: getattr(config, field.name) for field in fields(DataChoice)}
    choice, _ = with_named_task(DataChoice(**named), config.task, config.task_name)
    choice.require_usable()
    get_task(config.task, parse_task_args(config.task_args))


def _check_recipes(config: PipelineConfig) -> None:
    for field in ("recipe", "teacher_recipe"):
        try:
            recipe = load_recipe(getattr(config, field), getattr(config, f"{field}_args") or None)
            if field == "recipe":
                _REQUIRED_OF_RECIPE[config.pipeline](recipe)
        except RecipeError as error:
            raise RecipeError(str(error) if field == "recipe" else f"{field}: {error}") from None


def _check_models(config: PipelineConfig, benchmark: BenchmarkSettings) -> None:
    for field in MODEL_FIELDS:
        model = getattr(config, field, "")
        try:
            if not model or _is_on_hub(model):
                continue
            folder = find_model(model, getattr(config, f"{field}_revision"))
            max_positions = max_tokens(Model(folder).config())
            Model(folder).weight_files(allow_pickles=True)
            Model(folder).tokenizer_files()
        except SparseCoreError as error:
            raise type(error)(f"{field}: {str(error).removeprefix('model: ')}") from None
        benchmark.check_positions(folder, max_positions)


def _is_on_hub(model: str) -> bool:
    """Whether a model will be downloaded: a hub id, or a stub that stands for one."""
    if is_stub(model):
        return isinstance(model_source(model), str)
    return not (is_local(model) or is_object(model))


def _check_training(config: PipelineConfig) -> None:
    if not config.training_arguments:
        return  # the ranges of the other settings are the config's; torch takes seconds to load
    from sparse_core.training.settings import TrainingSettings

    settings = TrainingSettings(**{field.name: getattr(config, field.name) for field in fields(TrainingSettings)})
    settings.to_hugging_face(Path(config.output_dir))


def _called_with(function: Callable[..., Any], config: PipelineConfig) -> Any:
    """The result of `function`, its parameters being settings of the config."""
    return function(**{name: getattr(config, name) for name in inspect.signature(function).parameters})
