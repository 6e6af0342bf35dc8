"""What all tests share: no network, no file outside of the test, and the comparison of components with steps."""

from __future__ import annotations

import inspect
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sparse_core.cli.logs import LIBRARY_LOGGERS
from sparse_core.cli.parser import first_line, parameter_descriptions

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives each test a cache of its own, so that no test sees what another, or the user, has left."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SPARSE_CORE_CACHE", str(cache))
    return cache


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Puts the loggers back as they were: the command lines configure them for the whole process."""
    loggers = [logging.getLogger(name) for name in (None, *LIBRARY_LOGGERS)]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def _artifacts(items: dict[str, Any]) -> dict[str, str]:
    types = {name: item.type for name, item in items.items() if item.type.startswith("system.")}
    return {name: text.partition("@")[0].removeprefix("system.") for name, text in types.items()}


@pytest.fixture
def artifact_types() -> Callable[[Any], tuple[dict[str, str], dict[str, str]]]:
    """Names and types of a component's input and output artifacts."""
    return lambda component: (
        _artifacts(component.component_spec.inputs),
        _artifacts(component.component_spec.outputs),
    )


@pytest.fixture
def assert_mirrors_step() -> Callable[..., None]:
    """Checks that a component has the parameters, defaults and descriptions of its step, and its paths as artifacts."""

    def check(component: Any, step: Callable[..., Any], output: str) -> None:
        function = component.python_func
        component_settings, step_settings = _settings(function), _settings(step)
        assert component_settings == step_settings
        paths = [name for name, parameter in inspect.signature(step).parameters.items() if _is_path(parameter)]
        assert list(_artifacts(component.component_spec.inputs)) == [name for name in paths if name != "output"]
        assert output in component.component_spec.outputs
        assert first_line(function) == first_line(step)
        ours, theirs = parameter_descriptions(function), parameter_descriptions(step)
        assert {name: ours[name] for name in theirs if name != "output"} == {
            name: text for name, text in theirs.items() if name != "output"
        }

    return check


def _settings(function: Callable[..., Any]) -> dict[str, tuple[str, Any]]:
    scalars = ("str", "int", "float", "bool")
    return {
        name: (_annotation(parameter), parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if _annotation(parameter) in scalars
    }


def _annotation(parameter: inspect.Parameter) -> str:
    return getattr(parameter.annotation, "__name__", str(parameter.annotation))


def _is_path(parameter: inspect.Parameter) -> bool:
    return _annotation(parameter) == "Path"
