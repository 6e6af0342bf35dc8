"""The config file of `sparse-pipelines run`: the pipeline, its settings and the output folder.

The settings are those of the pipeline's steps, with the same names, defaults and ranges. Paths are relative to the
config file, so a run does not depend on the working directory. YAML is read with the safe loader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from sparse_core.errors import ConfigError, Place, SparseCoreError, listed, nearest
from sparse_core.fields import validated

from .spec import PIPELINES, Pipeline

PIPELINE, OUTPUT_DIR = "pipeline", "output_dir"
"""Settings of the run itself. All others are settings of the pipeline."""
DATA_FILES = ("train_file", "validation_file", "test_file")
_PATHS = (*DATA_FILES, "dataset_name", "model", "teacher_model", "recipe", "teacher_recipe")
"""Settings that may be local paths."""
_PLAIN_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge")}


@dataclass(frozen=True)
class RunConfig:
    """A run of a pipeline on this machine.

    Attributes:
        pipeline: the pipeline to run.
        values: all settings of the pipeline by name; paths are absolute.
        output_dir: folder for the results.
        places: setting -> its line in the config file.
    """

    pipeline: Pipeline
    values: Mapping[str, Any]
    output_dir: Path
    places: Mapping[str, Place] = field(default_factory=dict)

    def with_output_dir(self, output_dir: Path) -> RunConfig:
        """The same run with another output folder."""
        return replace(self, output_dir=output_dir.absolute())

    @contextmanager
    def located(self) -> Iterator[None]:
        """Adds the line of the setting in the config file to errors of the block.

        An error about a place inside of an input keeps that place.
        """
        try:
            yield
        except SparseCoreError as error:
            name = error.setting.partition(".")[0]
            place = self.places.get(name)
            is_inside = error.place is not None and error.place.file != str(self.values.get(name))
            has_line = error.place is not None and error.place.line is not None
            if place is None or is_inside or has_line:
                raise
            raise error.at(place) from error.__cause__


def load_config(path: Path) -> RunConfig:
    """Reads a config file.

    Raises:
        ConfigError: the file cannot be read or is not a mapping, or a setting is unknown, missing, set twice or out of
            range. The error has the file and, if it concerns one line, the line.
    """
    entries = _read(path)
    name = entries[PIPELINE].value if PIPELINE in entries else "sparse_transfer"
    if not isinstance(name, str) or name not in PIPELINES:
        raise ConfigError(PIPELINE, accepted=f"one of {listed(PIPELINES)}", got=name, place=entries[PIPELINE].place)
    pipeline = PIPELINES[name]
    entries = _without_groups(pipeline, entries)
    _require_known(pipeline, entries)
    values = {key: entry.value for key, entry in entries.items() if key not in (PIPELINE, OUTPUT_DIR)}
    places = {key: entry.place for key, entry in entries.items()}
    config = RunConfig(pipeline, values, _output_dir(path, entries), places)
    with config.located():
        settings = validated(pipeline.settings_model(), values).model_dump()
    return replace(config, values={**settings, **_absolute(settings, path.parent)})


@dataclass(frozen=True)
class _Entry:
    value: Any
    place: Place


def _read(path: Path) -> dict[str, _Entry]:
    """The settings of the file with their places."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
        if root is not None:
            _require_plain(path, root, ())
        values = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigError(
            "config", f"{path} does not exist", fix="name a YAML file, such as examples/sst2.yaml"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("config", f"{path} cannot be read as UTF-8 text: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError("config", f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(root, yaml.MappingNode) or not isinstance(values, dict):
        raise ConfigError("config", f"{path} holds a {type(values).__name__}", accepted="`setting: value` lines")
    return _entries(path, root, values)


def _require_plain(path: Path, node: yaml.Node, outer: tuple[yaml.Node, ...]) -> None:
    """Refuses values that JSON does not have, and values that contain themselves.

    Raises:
        ConfigError: the file has such a value.
    """
    place = Place(str(path), node.start_mark.line + 1)
    if any(node is ancestor for ancestor in outer):
        raise ConfigError("", "a value contains itself", fix="write the value in place of the alias", place=place)
    if node.tag not in _PLAIN_TAGS:
        kind = node.tag.rpartition(":")[2]
        raise ConfigError(
            "", f"a value is a {kind}", accepted="texts, numbers, true, false, lists, mappings", place=place
        )
    if isinstance(node, yaml.MappingNode):
        inner = [part for pair in node.value for part in pair]
    else:
        inner = node.value if isinstance(node, yaml.SequenceNode) else []
    for part in inner:
        _require_plain(path, part, (*outer, node))


def _entries(path: Path, node: yaml.MappingNode, values: Mapping[Any, Any]) -> dict[str, _Entry]:
    yaml.SafeLoader("").flatten_mapping(node)
    entries: dict[str, _Entry] = {}
    for key, value in node.value:
        place = Place(str(path), key.start_mark.line + 1)
        if key.value in entries:
            first = entries[key.value].place.line
            raise ConfigError(key.value, f"is already set on line {first}", fix="remove one of the two", place=place)
        entry = values.get(key.value)
        if isinstance(value, yaml.MappingNode) and isinstance(entry, dict):
            entries[key.value] = _Entry(_Nested(entry, _entries(path, value, entry)), place)
        else:
            entries[key.value] = _Entry(entry, place)
    return entries


class _Nested(dict[Any, Any]):
    """A mapping in the file, with the places of its entries."""

    def __init__(self, values: Mapping[Any, Any], entries: dict[str, _Entry]) -> None:
        super().__init__(values)
        self.entries = entries


def _without_groups(pipeline: Pipeline, entries: dict[str, _Entry]) -> dict[str, _Entry]:
    """Replaces each group, such as export_options, by its entries."""
    flat = {name: entry for name, entry in entries.items() if name not in pipeline.groups()}
    for group in pipeline.groups() & entries.keys():
        entry = entries[group]
        if not isinstance(entry.value, _Nested):
            raise ConfigError(group, accepted="a mapping of its settings", got=entry.value, place=entry.place)
        for name, inner in entry.value.entries.items():
            if name in flat:
                raise ConfigError(
                    name,
                    f"is already set on line {flat[name].place.line}",
                    fix="remove one of the two",
                    place=inner.place,
                )
            flat[name] = inner
    return flat


def _require_known(pipeline: Pipeline, entries: Mapping[str, _Entry]) -> None:
    known = [PIPELINE, OUTPUT_DIR, *pipeline.settings(), *sorted(pipeline.groups())]
    for name, entry in entries.items():
        if name not in known:
            raise ConfigError(
                str(name), f"unknown setting of {pipeline.name}", fix=nearest(name, known), place=entry.place
            )
        if entry.value is None or entry.value == "":
            raise ConfigError(name, "has no value", fix="give one or remove the line", place=entry.place)


def _output_dir(path: Path, entries: Mapping[str, _Entry]) -> Path:
    entry = entries.get(OUTPUT_DIR)
    if entry is not None and not isinstance(entry.value, str):
        raise ConfigError(OUTPUT_DIR, accepted="a text", got=entry.value, place=entry.place)
    return _in(path.parent, "output" if entry is None else entry.value).absolute()


def _absolute(values: Mapping[str, Any], folder: Path) -> dict[str, str]:
    """The local paths among the values, as absolute paths. Hub ids, stubs and built-in recipes are not among them."""
    changed = {}
    for name in _PATHS:
        value = values.get(name, "")
        is_path = value and "\n" not in value and "://" not in value
        if is_path and (name in DATA_FILES or _in(folder, value).exists()):
            changed[name] = str(_in(folder, value).absolute())
    return changed


def _in(folder: Path, value: str) -> Path:
    return folder / Path(value).expanduser()
