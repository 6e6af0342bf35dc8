"""What a SparseZoo stub stands for, now that SparseZoo is closed: a mirror is asked first, then a table.

A stub is `zoo:` and seven parts, such as
`zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none`. A mirror is a
directory, or a bucket, with what SparseZoo held at the same seven parts: `training/` with the model, `recipe/` with
`recipe_original.md`, `recipe_transfer-token_classification.md` and so on.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import TypeVar

from sparse_core.errors import ConfigError, ModelError, RecipeError, SparseCoreError, did_you_mean
from sparse_core.sources.models.model_directory import CONFIG_NAME
from sparse_core.sources.zoo.table import DEFAULT_RECIPE, MODELS, RECIPES
from sparse_core.store import is_object, local_path

logger = logging.getLogger(__name__)

MIRROR_VARIABLE = "SPARSE_CORE_ZOO_MIRROR"
"""Environment variable that names the mirror, a directory or an s3:// URI."""

_PREFIX = "zoo:"
_PART_NAMES = ("domain", "task", "architecture", "framework", "integration", "data set", "variant")
_PART = re.compile(r"\w[\w.-]*", re.ASCII)
_TYPE_PARAMETERS = ("recipe_type", "recipe")  # SparseZoo's first name for it, and its second
_RECIPE_SUFFIXES = (".md", ".yaml", ".yml")
_RECIPE_PREFIX = "recipe_"
_SHOWN_CHARACTERS = 200
_SMALLEST_LIKENESS = 0.6
_Source = TypeVar("_Source", Path, str)


@dataclass(frozen=True)
class _Asked:
    """A stub, and how to complain about it."""

    text: str
    setting: str
    error: type[SparseCoreError]
    path: str = ""
    recipe_type: str = ""

    def refusal(self, message: str) -> SparseCoreError:
        return self.error(f"{self.setting}: {message}")


def is_stub(text: str) -> bool:
    """Whether `text` is meant as a SparseZoo stub."""
    return text.lstrip().startswith(_PREFIX)


def model_source(stub: str, setting: str = "model") -> Path | str:
    """The directory in the mirror, or the hub id, of the model that a stub names; one log line says which.

    Args:
        stub: `zoo:...`; a `?recipe_type=` makes no difference.
        setting: name of the setting that it was given for, for messages.

    Raises:
        ModelError: the stub is malformed, or neither the mirror nor the table knows its model.
        ConfigError: the mirror does not exist.
    """
    asked = _parse(stub, setting, ModelError)
    folder = _mirrored(asked)
    source: Path | str | None = MODELS.get(asked.path)
    if folder is not None:
        source = next((path for path in (folder, folder / "training") if (path / CONFIG_NAME).is_file()), source)
    if source is None:
        raise asked.refusal(
            f"no living copy of the model '{asked.text}' is known; {_places(folder)}; give a directory or a "
            f"hub id, or {_how_to_mirror('training/')}{_nearest(asked.path, MODELS)}"
        )
    kind = "the directory" if isinstance(source, Path) else "the hub's model"
    logger.info("%s: %s stands for %s %s", setting, asked.text, kind, source)
    return source


def recipe_source(stub: str, setting: str = "recipe") -> Path | str:
    """The file in the mirror, or the name of the built-in, of the recipe that a stub names; one log line says which.

    Args:
        stub: `zoo:...`, where `?recipe_type=` picks one of several recipes; capitals make no difference. Without it,
            the one that made the model, or the only one.
        setting: name of the setting that it was given for, for messages.

    Raises:
        RecipeError: the stub is malformed, neither the mirror nor the table knows its recipe, or it has several.
        ConfigError: the mirror does not exist.
    """
    asked = _parse(stub, setting, RecipeError)
    folder = _mirrored(asked)
    mirrored, known = _recipe_files(folder), RECIPES.get(asked.path, {})
    source: Path | str | None = _pick(mirrored, asked.recipe_type) or _pick(known, asked.recipe_type)
    if source is not None:
        kind = "the file" if isinstance(source, Path) else "the built-in recipe"
        logger.info("%s: %s stands for %s %s", setting, asked.text, kind, source)
        return source
    names = sorted({*mirrored, *known})
    if not names:
        raise asked.refusal(
            f"nothing is known of the recipe '{asked.text}'; {_places(folder)}; give a file or a built-in "
            f"recipe (`sparse-core recipe list`), or {_how_to_mirror('recipe/')}{_nearest(asked.path, RECIPES)}"
        )
    problem = f"has no recipe of the type '{asked.recipe_type}'" if asked.recipe_type else "has several recipes"
    near = did_you_mean(asked.recipe_type, names)
    raise asked.refusal(
        f"'{_PREFIX}{asked.path}' {problem}; add ?recipe_type= with one of {', '.join(names)} (in the shell, put the "
        f"stub in quotes){near}"
    )


def _parse(text: str, setting: str, error: type[SparseCoreError]) -> _Asked:
    asked = _Asked(text.strip()[:_SHOWN_CHARACTERS], setting, error)
    path, _, parameters = text.strip().removeprefix(_PREFIX).partition("?")
    parts = path.strip("/").split("/")
    bad = next((part for part in parts if not _PART.fullmatch(part)), None)
    if any(character.isspace() for character in text.strip()):
        raise asked.refusal(f"there is white space inside '{asked.text}'; a SparseZoo stub has none")
    if len(parts) != len(_PART_NAMES):
        raise asked.refusal(
            f"'{asked.text}' has {len(parts)} part{'' if len(parts) == 1 else 's'}, but a SparseZoo stub has "
            f"{len(_PART_NAMES)}: {'/'.join(_PART_NAMES)}, such as '{_PREFIX}{next(iter(MODELS))}'"
        )
    if bad is not None:
        raise asked.refusal(
            f"'{bad[:_SHOWN_CHARACTERS]}' in '{asked.text}' is no part of a SparseZoo stub; expected letters, digits, "
            "and . _ - after the first of them"
        )
    return _Asked(asked.text, setting, error, "/".join(parts), _recipe_type(parameters, asked))


def _recipe_type(parameters: str, asked: _Asked) -> str:
    recipe_type = ""
    for parameter in filter(None, parameters.split("&")):
        name, _, recipe_type = parameter.partition("=")
        if name not in _TYPE_PARAMETERS or not recipe_type:
            raise asked.refusal(
                f"'{parameter}' in '{asked.text}' is not understood; accepted after the ? is recipe_type=NAME, such as "
                "recipe_type=transfer-text_classification"
            )
    return recipe_type


def _mirrored(asked: _Asked) -> Path | None:
    """What the mirror holds, or would hold, for the stub; None without a mirror."""
    mirror = os.environ.get(MIRROR_VARIABLE, "").strip()
    if not mirror:
        return None
    if is_object(mirror):
        return local_path(f"{mirror.rstrip('/')}/{asked.path}")
    root = local_path(mirror)
    if not root.is_dir():
        raise ConfigError(
            f"{MIRROR_VARIABLE}: {mirror} is no directory; expected one that is laid out by stub, or unset"
        )
    return root.resolve() / asked.path


def _recipe_files(folder: Path | None) -> dict[str, Path]:
    """Recipes of a mirrored stub by type: `recipe_<type>.md` or `.yaml` in it or in its `recipe/`."""
    if folder is None:
        return {}
    files = (file for place in (folder, folder / "recipe") if place.is_dir() for file in sorted(place.iterdir()))
    return {
        file.stem.removeprefix(_RECIPE_PREFIX) if file.stem != "recipe" else DEFAULT_RECIPE: file
        for file in files
        if file.suffix.lower() in _RECIPE_SUFFIXES and (file.stem == "recipe" or file.stem.startswith(_RECIPE_PREFIX))
    }


def _pick(recipes: Mapping[str, _Source], recipe_type: str) -> _Source | None:
    """The recipe of a type, which the beginning of its name is enough for where only one has it."""
    if not recipe_type:
        return recipes.get(DEFAULT_RECIPE) or (next(iter(recipes.values())) if len(recipes) == 1 else None)
    by_name = {name.lower(): recipe for name, recipe in recipes.items()}
    begins = [recipe for name, recipe in by_name.items() if name.startswith(recipe_type.lower())]
    return by_name.get(recipe_type.lower()) or (begins[0] if len(begins) == 1 else None)


def _places(folder: Path | None) -> str:
    if folder is None:
        return f"asked was the table of docs/models.md alone, since {MIRROR_VARIABLE} is not set"
    return f"asked were the mirror ({MIRROR_VARIABLE}), at {folder}, and the table of docs/models.md"


def _how_to_mirror(folder: str) -> str:
    return f"set {MIRROR_VARIABLE} to a directory that is laid out by stub and has it there, in {folder}"


def _nearest(path: str, known: Iterable[str]) -> str:
    """The known stub that is like `path` in each of its parts: as a whole, all stubs are alike."""
    best, best_likeness = "", 0.0
    for other in known:
        parts = zip(path.split("/"), other.split("/"), strict=True)
        likeness = [SequenceMatcher(None, one, two).ratio() for one, two in parts]
        if min(likeness) >= _SMALLEST_LIKENESS and sum(likeness) > best_likeness:
            best, best_likeness = other, sum(likeness)
    return f"; did you mean '{_PREFIX}{best}'?" if best else ""
