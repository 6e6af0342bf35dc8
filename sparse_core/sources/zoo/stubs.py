"""What a SparseZoo stub stands for, now that SparseZoo is closed: a mirror is searched first, then a table.

A stub is `zoo:` and seven parts, such as
`zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none`. A mirror is a
folder that has, under the same seven parts, what SparseZoo had there: the model in `training/`, and in `recipe/` its
recipes as `recipe_original.md`, `recipe_transfer-token_classification.md` and so on.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import partial
from pathlib import Path
from typing import TypeVar

from sparse_core.artifacts.model import Model
from sparse_core.errors import ConfigError, ModelError, RecipeError, SparseCoreError, listed, nearest, renamed_settings
from sparse_core.sources.zoo.table import DEFAULT_RECIPE, MODELS, RECIPES
from sparse_core.store import is_object, local_path

logger = logging.getLogger(__name__)

MIRROR_VARIABLE = "SPARSE_CORE_ZOO_MIRROR"
"""Environment variable that names the mirror, a folder or an s3:// location."""

_PREFIX = "zoo:"
_PART_NAMES = ("domain", "task", "architecture", "framework", "integration", "data set", "variant")
_PART = re.compile(r"\w[\w.-]*", re.ASCII)
_TYPE_PARAMETERS = ("recipe_type", "recipe")  # SparseZoo's first name for it, and its second
_RECIPE_SUFFIXES = (".md", ".yaml", ".yml")
_RECIPE_PREFIX = "recipe_"
_SHOWN_CHARACTERS = 200
_SMALLEST_LIKENESS = 0.6
_Source = TypeVar("_Source", Path, str)
_Refusal = Callable[..., SparseCoreError]


@dataclass(frozen=True)
class _Stub:
    """A well-formed stub.

    Attributes:
        text: the stub as the user wrote it, cut to 200 characters.
        path: its seven parts with slashes between them.
        recipe_type: what the user wrote after `?recipe_type=`; empty: nothing.
    """

    text: str
    path: str
    recipe_type: str


def is_stub(text: str) -> bool:
    """Whether `text` is meant as a SparseZoo stub."""
    return text.lstrip().startswith(_PREFIX)


def model_source(model: str) -> Path | str:
    """The folder in the mirror, or the hub id, of the model that a stub names. The log says which one.

    Args:
        model: `zoo:...`; a `?recipe_type=` makes no difference.

    Raises:
        ModelError: the stub is malformed, or neither the mirror nor the table has its model; the setting is model.
        ConfigError: the mirror does not exist.
    """
    stub = _parse(model, partial(ModelError, "model"))
    folder = _mirror_folder(stub)
    source: Path | str | None = MODELS.get(stub.path)
    if folder is not None:
        folders = (folder, folder / "training")
        source = next((path for path in folders if Model(path).config_path.is_file()), source)
    if source is None:
        raise ModelError(
            "model",
            f"no public copy of the model '{stub.text}' is known: {_searched(folder)}",
            fix=f"give a folder or a hub id, or {_how_to_mirror('training/')}{_nearest_stub(stub.path, MODELS)}",
        )
    kind = "the folder" if isinstance(source, Path) else "the hub's model"
    logger.info("%s stands for %s %s", stub.text, kind, source)
    return source


def recipe_source(recipe: str) -> Path | str:
    """The file in the mirror, or the name of the built-in, of the recipe that a stub names. The log says which one.

    Args:
        recipe: `zoo:...`, where `?recipe_type=` picks one of several recipes, in capitals or not. Without it: the
            recipe that made the model, or the only one.

    Raises:
        RecipeError: the stub is malformed, neither the mirror nor the table has its recipe, or there are several; the
            setting is recipe.
        ConfigError: the mirror does not exist.
    """
    stub = _parse(recipe, partial(RecipeError, "recipe"))
    folder = _mirror_folder(stub)
    mirrored, known = _recipe_files(folder), RECIPES.get(stub.path, {})
    source: Path | str | None = _pick(mirrored, stub.recipe_type) or _pick(known, stub.recipe_type)
    if source is not None:
        kind = "the file" if isinstance(source, Path) else "the built-in recipe"
        logger.info("%s stands for %s %s", stub.text, kind, source)
        return source
    names = sorted({*mirrored, *known})
    if not names:
        raise RecipeError(
            "recipe",
            f"no recipe '{stub.text}' is known: {_searched(folder)}",
            fix="give a file or a built-in recipe (`sparse-core recipe list`), or "
            f"{_how_to_mirror('recipe/')}{_nearest_stub(stub.path, RECIPES)}",
        )
    problem = f"has no recipe of the type '{stub.recipe_type}'" if stub.recipe_type else "has several recipes"
    suggestion = nearest(stub.recipe_type, names)
    raise RecipeError(
        "recipe",
        f"'{_PREFIX}{stub.path}' {problem}",
        fix=f"add ?recipe_type= with one of {listed(names)} (in the shell, put the stub in quotes)"
        f"{f'; {suggestion}' if suggestion else ''}",
    )


def _parse(text: str, refusal: _Refusal) -> _Stub:
    shown = text.strip()[:_SHOWN_CHARACTERS]
    path, _, parameters = text.strip().removeprefix(_PREFIX).partition("?")
    parts = path.strip("/").split("/")
    if any(character.isspace() for character in text.strip()):
        raise refusal(f"'{shown}' has white space in it; a SparseZoo stub has none")
    if len(parts) != len(_PART_NAMES):
        raise refusal(
            f"'{shown}' has {len(parts)} part{'' if len(parts) == 1 else 's'}, but a SparseZoo stub has "
            f"{len(_PART_NAMES)}",
            accepted=f"{'/'.join(_PART_NAMES)}, such as '{_PREFIX}{next(iter(MODELS))}'",
        )
    malformed = next((part for part in parts if not _PART.fullmatch(part)), None)
    if malformed is not None:
        raise refusal(
            f"'{malformed[:_SHOWN_CHARACTERS]}' in '{shown}' is no part of a SparseZoo stub",
            accepted="letters, digits, and . _ - after the first of them",
        )
    return _Stub(shown, "/".join(parts), _recipe_type(parameters, shown, refusal))


def _recipe_type(parameters: str, shown: str, refusal: _Refusal) -> str:
    recipe_type = ""
    for parameter in filter(None, parameters.split("&")):
        name, _, recipe_type = parameter.partition("=")
        if name not in _TYPE_PARAMETERS or not recipe_type:
            raise refusal(
                f"'{parameter}' in '{shown}' is unknown",
                accepted="recipe_type=NAME after the ?, such as recipe_type=transfer-text_classification",
            )
    return recipe_type


def _mirror_folder(stub: _Stub) -> Path | None:
    """The folder of the stub in the mirror, whether it exists or not; None without a mirror."""
    mirror = os.environ.get(MIRROR_VARIABLE, "").strip()
    if not mirror:
        return None
    with renamed_settings({"location": MIRROR_VARIABLE}):
        if is_object(mirror):
            return local_path(f"{mirror.rstrip('/')}/{stub.path}")
        root = local_path(mirror)
    if not root.is_dir():
        raise ConfigError(
            MIRROR_VARIABLE, f"{mirror} is no folder", fix="name a folder that is laid out by stub, or unset it"
        )
    return root.resolve() / stub.path


def _recipe_files(folder: Path | None) -> dict[str, Path]:
    """Recipes of a stub in the mirror by type: `recipe_<type>.md` or `.yaml` in its folder or in its `recipe/`."""
    if folder is None:
        return {}
    files = (file for place in (folder, folder / "recipe") if place.is_dir() for file in sorted(place.iterdir()))
    return {
        file.stem.removeprefix(_RECIPE_PREFIX) if file.stem != "recipe" else DEFAULT_RECIPE: file
        for file in files
        if file.suffix.lower() in _RECIPE_SUFFIXES and (file.stem == "recipe" or file.stem.startswith(_RECIPE_PREFIX))
    }


def _pick(recipes: Mapping[str, _Source], recipe_type: str) -> _Source | None:
    """The recipe of a type; the beginning of the type's name is enough where it fits only one recipe."""
    if not recipe_type:
        return recipes.get(DEFAULT_RECIPE) or (next(iter(recipes.values())) if len(recipes) == 1 else None)
    by_name = {name.lower(): recipe for name, recipe in recipes.items()}
    matches = [recipe for name, recipe in by_name.items() if name.startswith(recipe_type.lower())]
    return by_name.get(recipe_type.lower()) or (matches[0] if len(matches) == 1 else None)


def _searched(folder: Path | None) -> str:
    if folder is None:
        return f"it is not in the table of docs/models.md, and {MIRROR_VARIABLE} is not set"
    return f"it is neither in the mirror ({MIRROR_VARIABLE}) at {folder} nor in the table of docs/models.md"


def _how_to_mirror(folder: str) -> str:
    return f"set {MIRROR_VARIABLE} to a folder that is laid out by stub and has it there, in {folder}"


def _nearest_stub(path: str, known: Iterable[str]) -> str:
    """The known stub that is like `path` in each of its parts; as a whole, all stubs are alike."""
    best, best_likeness = "", 0.0
    for other in known:
        parts = zip(path.split("/"), other.split("/"), strict=True)
        likeness = [SequenceMatcher(None, part, other_part).ratio() for part, other_part in parts]
        if min(likeness) >= _SMALLEST_LIKENESS and sum(likeness) > best_likeness:
            best, best_likeness = other, sum(likeness)
    return f"; did you mean '{_PREFIX}{best}'?" if best else ""
