"""Checks that need no training, made before the first step: bad input ends a run in a second, not after an hour."""

from __future__ import annotations

from dataclasses import fields

from sparse_core.artifacts import fingerprint
from sparse_core.errors import ModelError, RecipeError
from sparse_core.recipe import load_recipe, require_gradual_pruning, require_pruning
from sparse_core.sources.model_directory import find_weights, require_config, require_tokenizer
from sparse_core.sources.models import find_model, is_local
from sparse_core.sources.splits import DataChoice, with_named_task
from sparse_core.tasks import get_task, parse_task_args

from .config import PipelineConfig, local_paths

MODEL_FIELDS = ("model", "teacher_model")
_REQUIRED_OF_RECIPE = {"sparse_transfer": require_pruning, "sparsify": require_gradual_pruning}


def preflight(config: PipelineConfig) -> None:
    """Refuses a run whose inputs cannot work.

    Raises:
        DataError: no data is named, or a file is missing or empty.
        ConfigError: there is no such task, or it has no such option.
        RecipeError: a recipe does not load, or never prunes.
        ModelError: a local model directory lacks a file that every step needs.
    """
    _check_data(config)
    _check_recipes(config)
    _check_models(config)


def content_hashes(config: PipelineConfig) -> dict[str, str]:
    """Fingerprints of the local inputs by pipeline parameter; empty where an input is not local.

    They are part of KFP's cache key: a changed file redoes the steps that depend on it.
    """
    return {
        parameter: fingerprint(*paths) if (paths := local_paths(config, inputs)) else ""
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


def _check_models(config: PipelineConfig) -> None:
    for field in MODEL_FIELDS:
        model = getattr(config, field, "")
        if not model or not is_local(model):
            continue
        try:
            folder = find_model(model, getattr(config, f"{field}_revision"))
            for require in (require_config, find_weights, require_tokenizer):
                require(folder)
        except ModelError as error:
            raise ModelError(f"{field}: {str(error).removeprefix('model: ')}") from None
