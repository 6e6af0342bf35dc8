"""The declaration of a step: a function with its settings and its artifacts.

The command line, the KFP components, the config file and the pipelines come from these declarations.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field
from pydantic.fields import FieldInfo

from sparse_core.errors import ConfigError, listed, nearest, renamed_settings
from sparse_core.fields import Options, json_object, validated
from sparse_core.store import require_free

OUTPUT = "output"
"""The parameter of every step that says where its artifact appears."""

MaxSeqLength = Annotated[int, Field(ge=1, description="Longest row in tokens; the tokens beyond it are cut off.")]


class Kind(StrEnum):
    """The kinds of artifacts that steps read and write."""

    MODEL = "model"
    DATASET = "dataset"
    RECIPE = "recipe"
    DEPLOYMENT = "deployment"
    REPORT = "report"


@dataclass(frozen=True)
class Port:
    """An artifact that a step reads or writes.

    Attributes:
        name: parameter of the step; for an output, the name that pipelines know it by.
        kind: what the artifact is.
        help: one sentence.
        required: False for an optional input.
        many: the input is a mapping of name to path, with any number of artifacts.
    """

    name: str
    kind: Kind
    help: str
    required: bool = True
    many: bool = False


@dataclass(frozen=True)
class Setting:
    """A setting of a step as its user sees it.

    Attributes:
        name: the setting.
        field: type, default, range and help.
        group: the field of the settings model that holds the setting; empty for a setting of no group.
    """

    name: str
    field: FieldInfo
    group: str = ""


@dataclass(frozen=True)
class Step:
    """A step. It is called as a function, with paths by position or name, then settings by name.

    Attributes:
        name: the step, its command and its component.
        title: first line of its help.
        function: runs the step; takes the inputs by name, `output` and `settings`.
        inputs: the artifacts that it reads.
        output: the artifact that it writes.
        settings_model: its settings. A field of type `Options` is a group: the command line has a flag for each of its
            settings, and pipelines pass the group as one object.
    """

    name: str
    title: str
    function: Callable[..., dict[str, Any]]
    inputs: tuple[Port, ...]
    output: Port
    settings_model: type[Options]

    def __call__(self, *paths: Any, **values: Any) -> dict[str, Any]:
        """Checks the settings and the output path, and runs the step.

        Args:
            paths: the inputs in their order, then the output.
            values: inputs and output by name, and the settings.

        Returns:
            The results of the step, numbers and texts by name.

        Raises:
            SparseCoreError: a setting does not fit, the output is in use, or the step refuses its input.
        """
        names = [*(port.name for port in self.inputs), OUTPUT]
        arguments = {**dict(zip(names, paths, strict=False)), **values}
        ports = {name: arguments.pop(name) for name in names if name in arguments}
        self._require_paths(ports)
        ports = {name: _as_path(value) for name, value in ports.items()}
        settings = self.read_settings(arguments)
        require_free(ports[OUTPUT])
        optional = {port.name: None for port in self.inputs if not port.required}
        return self.function(**{**optional, **ports}, settings=settings)

    def read_settings(self, values: Mapping[str, Any]) -> Options:
        """Checks the settings and fills in defaults.

        Args:
            values: by name. A group may be given as single settings, as a mapping or as a JSON object.

        Raises:
            ConfigError: a setting is unknown, given twice, or does not fit.
        """
        groups = dict(groups_of(self.settings_model))
        owners = {setting.name: setting.group for setting in self.settings()}
        top: dict[str, Any] = {}
        nested: dict[str, dict[str, Any]] = {name: {} for name in groups}
        for name in groups:
            with renamed_settings({"value": name}):
                nested[name] = json_object(values.get(name), '{"name": "value"}')
        for name, value in values.items():
            if name in groups:
                continue
            if name not in owners:
                accepted = [*owners, *groups]
                raise ConfigError(
                    name, f"unknown setting of {self.name}", accepted=f"one of {listed(accepted)}",
                    fix=nearest(name, accepted),
                )  # fmt: skip
            group = owners[name]
            if group and name in nested[group]:
                raise ConfigError(name, f"is given twice, also in {group}", fix="give it once")
            (nested[group] if group else top)[name] = value
        for name, group_values in nested.items():
            flat = {key for key in group_values if key in values}
            with renamed_settings(lambda path, name=name, flat=flat: _as_written(path, name, flat)):  # type: ignore[misc]
                top[name] = validated(groups[name], group_values, inside=name)
        return validated(self.settings_model, top)

    def settings(self) -> Iterator[Setting]:
        """All settings, including those inside groups."""
        groups = dict(groups_of(self.settings_model))
        for name, field in self.settings_model.model_fields.items():
            if name in groups:
                yield from (Setting(key, inner, name) for key, inner in groups[name].model_fields.items())
            else:
                yield Setting(name, field)

    def _require_paths(self, ports: Mapping[str, Any]) -> None:
        required = [*(port.name for port in self.inputs if port.required), OUTPUT]
        for name in required:
            if ports.get(name) in (None, "", {}):
                raise ConfigError(name, "is required and not set", fix="give a path")


def step(*, inputs: Sequence[Port] = (), output: Port, settings: type[Options]) -> Callable[[Callable], Step]:
    """Declares a function as a step. The function's name and the first line of its docstring become name and title.

    Args:
        inputs: the artifacts that it reads; each is a parameter of the function.
        output: the artifact that it writes; the function gets the path as `output`.
        settings: the model of its settings; the function gets them as `settings`.
    """

    def declare(function: Callable) -> Step:
        title = (inspect.getdoc(function) or "").partition("\n")[0]
        return Step(function.__name__, title, function, tuple(inputs), output, settings)

    return declare


def groups_of(settings_model: type[Options]) -> Iterator[tuple[str, type[Options]]]:
    """Yields the groups of options in a settings model, each with its own model."""
    for name, field in settings_model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Options):
            yield name, field.annotation


def _as_path(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _as_path(entry) for name, entry in value.items()}
    return None if value is None else Path(value).expanduser()


def _as_written(path: str, group: str, flat: set[str]) -> str:
    """The name of a setting as the caller wrote it: alone, or inside its group."""
    name = path.removeprefix(f"{group}.")
    return name if name in flat else path
