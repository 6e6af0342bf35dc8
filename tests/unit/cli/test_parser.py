from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import Field

from sparse_core.cli.parser import Parser, add_step, flags_of, named_paths
from sparse_core.errors import ConfigError
from sparse_core.fields import Options
from sparse_core.steps.spec import Kind, Port, step


class Speed(Options):
    """How fast."""

    rate: float = Field(0.5, gt=0.0, description="Rows for each 50% of a second.")


class Settings(Options):
    """Settings of `move`."""

    max_seq_length: int = Field(128, ge=1, description="Longest row in tokens.")
    task: str = Field("", description="What for.")
    only: bool = Field(False, description="Nothing else.")
    speed_options: Speed = Speed()


@step(
    inputs=(
        Port("model", Kind.MODEL, "The model."),
        Port("candidates", Kind.MODEL, "Any number.", required=False, many=True),
    ),
    output=Port("moved", Kind.MODEL, "The moved model."),
    settings=Settings,
)
def move(model: Path, candidates: dict[str, Path] | None, output: Path, settings: Settings) -> dict[str, Any]:
    """Moves a model."""
    return {"model": model, "candidates": candidates, "output": output, "settings": settings}


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="tool")
    add_step(parser, move)
    return parser


def test_only_what_the_user_gives_is_there(parser):
    assert vars(parser.parse(["--model", "m", "--rate", "2"])) == {"model": "m", "rate": "2"}


@pytest.mark.parametrize("spelling", ["--max-seq-length=64", "--max_seq_length=64"])
def test_words_of_an_option_are_joined_either_way(parser, spelling):
    assert parser.parse([spelling]).max_seq_length == "64"


def test_underscores_of_a_value_are_kept(parser):
    assert parser.parse(["--task=text_x"]).task == "text_x"


@pytest.mark.parametrize(("switch", "value"), [("--only", True), ("--no-only", False)])
def test_a_bool_is_a_pair_of_switches(parser, switch, value):
    assert parser.parse([switch]).only is value


def test_help_has_groups_descriptions_and_defaults(parser):
    text = " ".join(parser.format_help().split())
    assert "Longest row in tokens. (default: 128)" in text
    assert "Rows for each 50% of a second. (default: 0.5)" in text
    assert "What for. --only" in text
    assert "speed options: --speed-options JSON" in text


def test_many_artifacts_have_names(parser):
    words = parser.parse(["--candidates", "a=x", "b=y=z", "--candidates", "c=w"]).candidates
    assert named_paths(words) == {"a": "x", "b": "y=z", "c": "w"}
    for wrong in (["a"], ["=x"], ["a="], ["a=x", "a=y"]):
        with pytest.raises(ConfigError) as caught:
            named_paths(wrong)
        assert caught.value.setting == "words"


def test_an_unknown_option_is_named_with_the_nearest(parser):
    with pytest.raises(ConfigError) as caught:
        parser.parse(["--max_seq_lenght=3"])
    assert (caught.value.setting, caught.value.fix) == ("--max-seq-lenght", "did you mean '--max-seq-length'?")


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (["--max-seq=3"], "--max-seq"),
        (["--modle=m", "--rate", "fast"], "--modle"),
        (["--rate"], ""),
        (["stray"], "stray"),
    ],
)
def test_mistakes_in_options(parser, words, setting):
    with pytest.raises(ConfigError) as caught:
        parser.parse(words)
    assert caught.value.setting == setting


@pytest.mark.parametrize(
    ("words", "setting"),
    [(["do", "--modle", "m"], "--modle"), (["--verison"], "--verison"), (["od", "--modle", "m"], "")],
)
def test_each_parser_looks_at_its_own_words(words, setting):
    tool = Parser(prog="tool")
    tool.add_argument("--version", action="store_true")
    add_step(tool.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser).add_parser("do"), move)
    with pytest.raises(ConfigError) as caught:
        tool.parse(words)
    assert caught.value.setting == setting


def test_settings_are_written_as_flags():
    naming = flags_of(move)
    assert naming("max_seq_length") == "--max-seq-length"
    assert naming("speed_options.rate") == "--speed-options: rate"
    assert naming("EpochRangeModifier.end_epoch") == "EpochRangeModifier.end_epoch"
