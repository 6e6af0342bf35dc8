"""A step checks its paths and settings before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from sparse_core.errors import ConfigError, OutputError
from sparse_core.fields import Options
from sparse_core.steps.registry import STEPS, load_step
from sparse_core.steps.spec import Kind, Port, step


class Speed(Options):
    """How fast."""

    rate: float = Field(0.5, gt=0.0, description="Rows a second.")


class Settings(Options):
    """Settings of `move`."""

    length: int = Field(3, ge=1, description="Length.")
    speed_options: Speed = Speed()


@step(
    inputs=(Port("model", Kind.MODEL, "The model."), Port("parts", Kind.MODEL, "Parts.", required=False, many=True)),
    output=Port("moved", Kind.MODEL, "The moved model."),
    settings=Settings,
)
def move(model: Path, parts: dict[str, Path] | None, output: Path, settings: Settings) -> dict[str, Any]:
    """Moves a model.

    More words.
    """
    return {"model": model, "parts": parts, "output": output, "settings": settings}


def test_a_step_is_called_as_a_function(tmp_path):
    expected = {
        "model": Path("m"),
        "parts": None,
        "output": tmp_path / "o",
        "settings": Settings(length=5, speed_options=Speed(rate=2.0)),
    }
    assert move(model="m", output=tmp_path / "o", length=5, rate=2.0) == expected
    assert move("m", None, tmp_path / "o", length="5", speed_options={"rate": 2}) == expected
    assert move("m", output=str(tmp_path / "o"), length=5, speed_options='{"rate": 2}') == expected
    assert move("m", {"a": "x"}, tmp_path / "o")["parts"] == {"a": Path("x")}


def test_the_declaration_says_what_the_step_is():
    assert (move.name, move.title, move.output.name) == ("move", "Moves a model.", "moved")
    assert [(setting.name, setting.group) for setting in move.settings()] == [("length", ""), ("rate", "speed_options")]


@pytest.mark.parametrize(
    ("values", "setting"),
    [
        ({"length": 0}, "length"),
        ({"rate": 0}, "rate"),
        ({"speed_options": {"rate": 0}}, "speed_options.rate"),
        ({"speed_options": {"rat": 1}}, "speed_options.rat"),
        ({"speed_options": "[1]"}, "speed_options"),
        ({"rate": 1, "speed_options": {"rate": 1}}, "rate"),
        ({"lenght": 1}, "lenght"),
        ({"length": True}, "length"),
        ({"model": None}, "model"),
        ({"output": ""}, "output"),
    ],
)
def test_a_value_that_does_not_fit_is_named(tmp_path, values, setting):
    with pytest.raises(ConfigError) as caught:
        move(**{"model": "m", "output": tmp_path / "o", **values})
    assert caught.value.setting == setting
    assert list(tmp_path.iterdir()) == []


def test_an_output_in_use_is_refused(tmp_path):
    (tmp_path / "mine").touch()
    with pytest.raises(OutputError) as caught:
        move("m", output=tmp_path)
    assert caught.value.setting == "output"


def test_the_registry_has_every_step_once():
    assert [load_step(name).name for name in STEPS] == list(STEPS)
    with pytest.raises(ConfigError) as caught:
        load_step("prun")
    assert caught.value.fix == "did you mean 'prune'?"
