"""Command lines made from function signatures: one option per parameter, its help from the docstring."""

from __future__ import annotations

import argparse
import inspect
import sys
from collections.abc import Callable, Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

from sparse_core.errors import ConfigError, did_you_mean

OPTION_TYPES: dict[str, Callable[[str], Any]] = {"Path": Path, "str": str, "int": int, "float": float}
"""Parameter annotations, as written, and what reads them from the command line; bool becomes a pair of switches."""


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that refuses abbreviations and reports mistakes as ConfigError instead of exiting."""

    def __init__(self, **kwargs: Any) -> None:
        """Takes what ArgumentParser takes, by name."""
        super().__init__(allow_abbrev=False, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse; keeps the words for `error`."""
        self._words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError: with the first option that does not exist, else with argparse's message.

        argparse complains of an option that is missing before one that it does not know, and the second is usually why.
        """
        for word in self._own_words():
            name = word.partition("=")[0]
            if name.startswith("--") and name not in self.option_names():
                raise self._unknown(name)
        raise ConfigError(f"{self.prog}: {message}; `{self.prog} --help` lists what is accepted")

    def parse(self, argv: list[str]) -> argparse.Namespace:
        """The options of `argv`; a word in `--an_option` may be joined by `_` as in code, or by `-`.

        Raises:
            ConfigError: an option or command that does not exist, with the nearest one that does.
        """
        namespace, unknown = self.parse_known_args([_with_hyphens(word) for word in argv])
        if unknown:
            raise self._chosen_by(namespace)._unknown(unknown[0].partition("=")[0])
        return namespace

    def option_names(self) -> list[str]:
        """All options of this command, as the user writes them."""
        return [option for action in self._actions for option in action.option_strings]

    def _unknown(self, name: str) -> ConfigError:
        kind = "option" if name.startswith("-") else "argument"
        return ConfigError(f"{self.prog}: unknown {kind} '{name}'{did_you_mean(name, self.option_names())}")

    def _own_words(self) -> Iterator[str]:
        """The words up to `--`, or up to the command, whose parser gets the rest."""
        has_commands = self._subparsers is not None
        return takewhile(lambda word: word != "--" and (word.startswith("-") or not has_commands), self._words)

    def _chosen_by(self, namespace: argparse.Namespace) -> Parser:
        return getattr(namespace, "parser", self)


def _with_hyphens(word: str) -> str:
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value


def add_parameters(parser: argparse.ArgumentParser, function: Callable[..., Any]) -> None:
    """Adds one option for each parameter of `function`: `max_seq_length: int = 128` becomes `--max-seq-length`."""
    descriptions = parameter_descriptions(function)
    for name, parameter in inspect.signature(function).parameters.items():
        annotation = getattr(parameter.annotation, "__name__", parameter.annotation)
        option, text = "--" + name.replace("_", "-"), descriptions.get(name, "").replace("%", "%%")
        if parameter.default is inspect.Parameter.empty:
            parser.add_argument(
                option, dest=name, required=True, type=OPTION_TYPES[annotation], metavar=_metavar(annotation), help=text
            )
        elif annotation == "bool":
            parser.add_argument(
                option, dest=name, action=argparse.BooleanOptionalAction, default=parameter.default, help=text
            )
        else:
            parser.add_argument(
                option,
                dest=name,
                type=OPTION_TYPES[annotation],
                default=parameter.default,
                metavar=_metavar(annotation),
                help=f"{text} (default: {parameter.default!r})" if parameter.default != "" else text,
            )


def _metavar(annotation: str) -> str:
    return {"Path": "DIR", "str": "TEXT", "int": "N", "float": "X"}[annotation]


def parameter_descriptions(function: Callable[..., Any]) -> dict[str, str]:
    """The `Args:` section of a Google docstring: parameter name to its text on one line."""
    from docstring_parser import DocstringStyle, parse

    docstring = parse(inspect.getdoc(function) or "", DocstringStyle.GOOGLE)
    return {param.arg_name: " ".join((param.description or "").split()) for param in docstring.params}


def first_line(function: Callable[..., Any]) -> str:
    """The first line of the function's docstring."""
    return (inspect.getdoc(function) or "").partition("\n")[0]
