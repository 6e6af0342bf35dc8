"""Where a recipe's text comes from: a built-in, a file, a recipe artifact, a SparseZoo stub, or the text itself."""

from __future__ import annotations

import os
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from sparse_core.artifacts.recipe import RECIPE_NAME
from sparse_core.errors import RecipeError, listed, nearest, renamed_settings
from sparse_core.recipe.document import MAX_CHARACTERS
from sparse_core.sources.zoo.stubs import is_stub, recipe_source
from sparse_core.store import is_object, local_path

_YAML_SUFFIXES = (".yaml", ".yml")
_FENCES = ("---", "+++")


def builtin_recipes() -> tuple[str, ...]:
    """Names of the recipes that come with the library, sorted."""
    return tuple(sorted(_builtin_files()))


def read_source(source: str | Path) -> tuple[str, str]:
    """Name and YAML text of a recipe.

    Args:
        source: a built-in's name, a `.yaml`, `.yml` or `.md` file, a directory with a `recipe.yaml`, a SparseZoo stub
            (`zoo:...`), or, when it has a newline, the recipe's text. A Path that does not
            exist may hold any of these names, because a step's command line makes a Path of the value of `--recipe`.

    Returns:
        The source's name for messages, and the text, in which YAML of a `.md` file keeps its line numbers.

    Raises:
        RecipeError: there is no such recipe, or its file cannot be read.
    """
    if isinstance(source, str) and "\n" in source:
        return "recipe text", _yaml_part(source, "recipe text", required=False)
    if isinstance(source, Path) and not os.path.exists(source):  # unlike Path.exists, it takes every name
        source = str(source)
    if isinstance(source, str) and is_stub(source):
        source = recipe_source(source)
    if isinstance(source, str):
        if source in (builtins := _builtin_files()):
            return source, builtins[source].read_text(encoding="utf-8")
        if is_object(source):
            with renamed_settings({"location": "recipe"}):
                source = local_path(source)
    path = _existing_path(source)
    name = str(path)
    if path.suffix.lower() in _YAML_SUFFIXES:
        return name, _read_text(path)
    if path.suffix.lower() == ".md":
        return name, _yaml_part(_read_text(path), name, required=True)
    raise RecipeError(
        "recipe", f"{name} is not a recipe file", accepted="a .yaml or .yml file, or a .md file with front matter"
    )


def _builtin_files() -> dict[str, Traversable]:
    root = resources.files("sparse_core.recipes")
    folders = [entry for entry in root.iterdir() if entry.is_dir()]
    files = [(folder.name, file) for folder in folders for file in folder.iterdir() if file.name.endswith(".yaml")]
    return {f"{folder}/{file.name.removesuffix('.yaml')}": file for folder, file in files}


def _existing_path(source: str | Path) -> Path:
    path = Path(source)
    try:
        if path.is_dir() and (path / RECIPE_NAME).is_file():
            return path / RECIPE_NAME
        is_file = path.is_file()
    except OSError:  # a name that the file system refuses, such as one of thousands of characters
        is_file = False
    if is_file:
        return path
    name = str(source)[:120]
    raise RecipeError(
        "recipe",
        f"'{name}' is no file, no directory with a {RECIPE_NAME} and no built-in recipe; built-in are "
        + listed(builtin_recipes()),
        fix=nearest(name, builtin_recipes()),
    )


def _read_text(path: Path) -> str:
    try:
        # A recipe longer than the limit is refused by its length, and UTF-8 has at most 4 bytes for a character.
        with path.open("rb") as stream:
            return stream.read(4 * (MAX_CHARACTERS + 1)).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError("recipe", f"{path} is not UTF-8 text (byte {error.start})", fix="save it as UTF-8") from None
    except OSError as error:
        raise RecipeError("recipe", f"{path} cannot be read: {error.strerror}") from None


def _yaml_part(text: str, name: str, *, required: bool) -> str:
    """The front matter with its line numbers kept, or, where it is not required, the whole text without one."""
    lines = text.split("\n")
    fences = [number for number, line in enumerate(lines) if line.rstrip() in _FENCES]
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    if fences and (required or fences[0] == first):
        closing = next((number for number in fences[1:] if lines[number].rstrip() == lines[fences[0]].rstrip()), None)
        if closing is not None:
            return "\n" * (fences[0] + 1) + "\n".join(lines[fences[0] + 1 : closing]) + "\n"
    if required:
        raise RecipeError("recipe", f"{name} has no front matter", fix="put the recipe between two lines of `---`")
    return text
