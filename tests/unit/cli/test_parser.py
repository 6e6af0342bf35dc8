from __future__ import annotations

from pathlib import Path

import pytest

from sparse_core.cli.parser import Parser, add_parameters, first_line, parameter_descriptions
from sparse_core.errors import ConfigError


def step(
    model: Path, output: Path, *, max_seq_length: int = 128, rate: float = 0.5, task: str = "", only: bool = False
) -> dict:
    """Does one thing.

    Args:
        model: where the model lies; 50% of it
            may be on the next line.
        output: where the result appears.
        max_seq_length: tokens of a row.
        rate: how fast.
        task: what for.
        only: nothing else.
    """
    return locals()


@pytest.fixture
def parser() -> Parser:
    parser = Parser(prog="tool")
    add_parameters(parser, step)
    return parser


def test_options_come_from_the_signature_with_types_and_defaults(parser):
    options = parser.parse(["--model", "m", "--output", "o", "--rate", "2"])
    assert vars(options) == {
        "model": Path("m"),
        "output": Path("o"),
        "max_seq_length": 128,
        "rate": 2.0,
        "task": "",
        "only": False,
    }


@pytest.mark.parametrize("spelling", ["--max-seq-length=64", "--max_seq_length=64"])
def test_words_of_an_option_are_joined_either_way(parser, spelling):
    assert parser.parse(["--model", "m", "--output", "o", spelling]).max_seq_length == 64


def test_underscores_of_a_value_are_kept(parser):
    assert parser.parse(["--model", "m", "--output", "o", "--task=text_x"]).task == "text_x"


@pytest.mark.parametrize(("switch", "value"), [("--only", True), ("--no-only", False)])
def test_a_bool_is_a_pair_of_switches(parser, switch, value):
    assert parser.parse(["--model", "m", "--output", "o", switch]).only is value


def test_help_shows_description_and_default_but_no_empty_default(parser):
    text = parser.format_help()
    assert "where the model lies; 50% of it may be on the next line." in " ".join(text.split())
    assert "tokens of a row. (default: 128)" in text
    assert "what for.\n" in text


def test_an_unknown_option_is_refused_with_the_nearest_name(parser):
    with pytest.raises(ConfigError, match=r"^tool: unknown option '--max-seq-lenght'; did you mean '--max-seq-length'"):
        parser.parse(["--model", "m", "--output", "o", "--max_seq_lenght=3"])


def test_an_abbreviation_is_not_taken_for_the_option(parser):
    with pytest.raises(ConfigError, match="unknown option '--max-seq'"):
        parser.parse(["--model", "m", "--output", "o", "--max-seq=3"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--modle", "m", "--output", "o"], "^tool: unknown option '--modle'; did you mean '--model'?"),
        (["--modle=m", "--rate", "fast"], "^tool: unknown option '--modle'; did you mean '--model'?"),
        (["--model", "m", "--", "--ouput"], "^tool: the following arguments are required: --output"),
    ],
)
def test_a_misspelled_option_is_named_before_the_one_that_is_missing(parser, words, message):
    with pytest.raises(ConfigError, match=message):
        parser.parse(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["do", "--modle", "m"], "^tool do: unknown option '--modle'; did you mean '--model'?"),
        (["--verison"], "^tool: unknown option '--verison'; did you mean '--version'?"),
        (["od", "--modle", "m"], "^tool: argument .*invalid choice: 'od'"),
    ],
)
def test_each_parser_looks_at_its_own_words(words, message):
    tool = Parser(prog="tool")
    tool.add_argument("--version", action="store_true")
    add_parameters(tool.add_subparsers(required=True, metavar="COMMAND", parser_class=Parser).add_parser("do"), step)
    with pytest.raises(ConfigError, match=message):
        tool.parse(words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--output", "o"], "the following arguments are required: --model"),
        (["--model", "m", "--output", "o", "--rate", "fast"], "argument --rate: invalid float value: 'fast'"),
        (["--model", "m", "--output", "o", "stray"], "unknown argument 'stray'"),
    ],
)
def test_mistakes_are_one_sentence(parser, words, message):
    with pytest.raises(ConfigError, match=message):
        parser.parse(words)


def test_docstring_parts():
    assert first_line(step) == "Does one thing."
    assert parameter_descriptions(step)["only"] == "nothing else."
