"""Identities of the files that the flags of a training command name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from sparse_core.artifacts.dataset import read_schema, split_path
from sparse_core.artifacts.model import CONFIG_NAME, Model
from sparse_core.store import identity, read_manifest
from sparse_core.tasks.rows import UNLABELLED_TEST

if TYPE_CHECKING:
    from sparse_core.cli.sparseml.parser import Arguments
    from sparse_core.recipe import Recipe
    from sparse_core.tasks.command import DataArguments, ModelArguments

_TESTED = ("test", UNLABELLED_TEST)


def contents_of(
    arguments: Arguments, *, model: Path, teacher: Path | None, dataset: Path, recipe: Recipe | None
) -> dict[str, str]:
    """Flag -> identity of the files that it adds to the training.

    Args:
        arguments: of the command.
        model: folder that the training starts from.
        teacher: folder of the teacher; None: there is none.
        dataset: dataset artifact.
        recipe: the recipe; None: there is none.

    Raises:
        ModelError: a directory lacks weights or a tokenizer.
    """
    contents = {**_of_data(arguments.data, dataset), **_of_model(arguments.model, model)}
    if teacher is not None:
        names = (CONFIG_NAME, *Model(teacher).weight_files(), *Model(teacher).tokenizer_files())
        contents["distill_teacher"] = identity(*(teacher / name for name in names))
    if recipe is not None:
        contents["recipe"] = identity(recipe.to_yaml())
    return contents


def _of_data(data: DataArguments, dataset: Path) -> dict[str, str]:
    """From the hashes of the artifact's manifest; test rows do not affect a training."""
    files, schema = read_manifest(dataset)["files"], read_schema(dataset)
    labels = json.dumps([schema.label_names, schema.task_args], sort_keys=True)
    parts: dict[str, list[str]] = {}
    for split in schema.num_rows:
        if not split.startswith(_TESTED):
            hashes = parts.setdefault(_source_of(split, data), [labels])
            hashes.append(files[split_path(dataset, split).name]["sha256"])
    return {flag: identity(*hashes) for flag, hashes in parts.items()}


def _source_of(split: str, data: DataArguments) -> str:
    """The flag that gives the rows of a split."""
    sources = ["train_file", "dataset_name", "task_name"]
    if split != "train":
        sources = ["validation_file", *(["test_file"] if getattr(data, "eval_on_test", False) else []), *sources]
    return next(flag for flag in sources if getattr(data, flag, None))


def _of_model(model: ModelArguments, directory: Path) -> dict[str, str]:
    origin = next(
        flag for flag in ("model_name_or_path", "config_name", "model_type") if getattr(model, flag, None) is not None
    )
    parts: dict[str, list[Path]] = {}
    for flag, names in (
        (origin, Model(directory).weight_files()),
        ("config_name", [CONFIG_NAME]),
        ("tokenizer_name", Model(directory).tokenizer_files()),
    ):
        named = flag if getattr(model, flag, None) is not None else origin
        parts.setdefault(named, []).extend(directory / name for name in names)
    return {flag: identity(*files) for flag, files in parts.items()}
