"""Checks that need no training, made before the first step: bad input ends a run in a second, not after an hour."""

from __future__ import annotations

from pathlib import Path

from sparse_core.artifacts import fingerprint
from sparse_core.errors import ModelError, RecipeError
from sparse_core.recipe import load_recipe, require_gradual_pruning, require_pruning
from sparse_core.sources.data_file import DataFile
from sparse_core.sources.model_directory import require_config, require_tokenizer, require_weights
from sparse_core.sources.models import find_model, is_local

from .config import DATA_FIELDS, PipelineConfig, local_paths

MODEL_FIELDS = ("model", "teacher_model")
_REQUIRED_OF_RECIPE = {"sparse_transfer": require_pruning, "sparsify": require_gradual_pruning}


def preflight(config: PipelineConfig) -> None:
    """Refuses a run whose inputs cannot work.

    Raises:
        DataError: a data file is missing or empty.
        RecipeError: a recipe does not load, or never prunes.
        ModelError: a local model directory lacks a file that every step needs.
    """
    _check_data_files(config)
    _check_recipes(config)
    _check_models(config)


def content_hashes(config: PipelineConfig) -> dict[str, str]:
    """Fingerprints of the local inputs by pipeline parameter; empty where an input is not local.

    They are part of KFP's cache key: a changed file redoes the steps that depend on it.
    """
    return {
        parameter: fingerprint(*paths) if (paths := local_paths(config, fields)) else ""
        for parameter, fields in config.local_inputs.items()
    }


def _check_data_files(config: PipelineConfig) -> None:
    for field in DATA_FIELDS:
        value = getattr(config, field)
        if value:
            DataFile(field, Path(value)).require_usable()


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
            for require in (require_config, require_weights, require_tokenizer):
                require(folder)
        except ModelError as error:
            raise ModelError(f"{field}: {str(error).removeprefix('model: ')}") from None
