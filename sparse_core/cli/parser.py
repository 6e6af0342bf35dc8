"""Makes command lines from the declarations of steps: one option for each setting, with its help and default."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import takewhile
from typing import Any, NoReturn

from sparse_core.errors import ConfigError, Naming, nearest, plain
from sparse_core.fields import takes_booleans
from sparse_core.steps.spec import OUTPUT, Port, Setting, Step


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that refuses abbreviations and raises ConfigError for mistakes."""

    def __init__(self, **kwargs: Any) -> None:
        """Takes the keyword arguments of ArgumentParser."""
        super().__init__(allow_abbrev=False, **kwargs)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parses as argparse does, and keeps the words for error messages."""
        self._words = sys.argv[1:] if args is None else list(args)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError for the first unknown option; if there is none, with argparse's message.

        argparse reports a missing option before an unknown one, but a misspelled option is often the missing one.
        """
        for word in self._own_words():
            name = word.partition("=")[0]
            if name.startswith("--") and name not in self.option_names():
                raise self._unknown(name)
        raise ConfigError("", f"{self.prog}: {message}", fix=f"`{self.prog} --help` lists what is accepted")

    def parse(self, argv: list[str]) -> argparse.Namespace:
        """Parses `argv`. Option names may have hyphens or underscores.

        Raises:
            ConfigError: an option or command does not exist; the error names the nearest one.
        """
        namespace, unknown = self.parse_known_args([_with_hyphens(word) for word in argv])
        if unknown:
            raise self._parser_of(namespace)._unknown(unknown[0].partition("=")[0])
        return namespace

    def option_names(self) -> list[str]:
        """All options of this command, with their hyphens."""
        return [option for action in self._actions for option in action.option_strings]

    def _unknown(self, name: str) -> ConfigError:
        kind = "option" if name.startswith("-") else "argument"
        return ConfigError(name, f"unknown {kind} of {self.prog}", fix=nearest(name, self.option_names()))

    def _own_words(self) -> Iterator[str]:
        """The words up to `--`, or up to the subcommand, because its own parser reads the rest."""
        has_commands = self._subparsers is not None
        return takewhile(lambda word: word != "--" and (word.startswith("-") or not has_commands), self._words)

    def _parser_of(self, namespace: argparse.Namespace) -> Parser:
        """The parser of the command that was parsed."""
        return getattr(namespace, "parser", self)


def _with_hyphens(word: str) -> str:
    if not word.startswith("--"):
        return word
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value


def add_step(parser: argparse.ArgumentParser, step: Step) -> None:
    """Adds the options of a step: its artifacts, each setting, and each group of settings as one JSON object.

    The result holds only the options that the user wrote, so that the step's own defaults apply.
    """
    artifacts = parser.add_argument_group("artifacts")
    for port in step.inputs:
        _add_input(artifacts, port)
    artifacts.add_argument(
        flag(OUTPUT), default=argparse.SUPPRESS, metavar="DIR", help=f"Folder to write. {step.output.help}"
    )
    groups: dict[str, Any] = {"": parser.add_argument_group("settings")}
    for setting in step.settings():
        if setting.group not in groups:
            groups[setting.group] = parser.add_argument_group(setting.group.replace("_", " "))
            groups[setting.group].add_argument(
                flag(setting.group),
                default=argparse.SUPPRESS,
                metavar="JSON",
                help="The settings below as one JSON object.",
            )
        _add_setting(groups[setting.group], setting)


def flag(name: str) -> str:
    """The option of a setting: `--max-seq-length`."""
    return "--" + name.replace("_", "-")


def flags_of(step: Step) -> Naming:
    """A function from the library's name of a setting to the option of this command; other names stay the same."""
    settings = list(step.settings())
    names = {OUTPUT, *(port.name for port in step.inputs), *(s.name for s in settings), *(s.group for s in settings)}

    def naming(name: str) -> str:
        first, _, rest = name.partition(".")
        if first not in names:
            return name
        return f"{flag(first)}: {rest}" if rest else flag(first)

    return naming


def _add_input(group: Any, port: Port) -> None:
    if port.many:
        group.add_argument(
            flag(port.name),
            default=argparse.SUPPRESS,
            nargs="+",
            action="extend",
            metavar="NAME=DIR",
            help=port.help.replace("%", "%%"),
        )
    else:
        group.add_argument(flag(port.name), default=argparse.SUPPRESS, metavar="DIR", help=port.help.replace("%", "%%"))


def _add_setting(group: Any, setting: Setting) -> None:
    field = setting.field
    default = "" if field.is_required() or field.default in ("", None, {}) else f" (default: {plain(field.default)})"
    options: dict[str, Any] = {
        "dest": setting.name,
        "default": argparse.SUPPRESS,
        "help": f"{field.description or ''}{default}".replace("%", "%%"),
    }
    if takes_booleans(field.annotation):
        options["action"] = argparse.BooleanOptionalAction
    else:
        options["metavar"] = "N" if field.annotation is int else "X" if field.annotation is float else "TEXT"
    group.add_argument(flag(setting.name), **options)


def named_paths(words: list[str]) -> dict[str, str]:
    """The mapping of words of the form NAME=DIR.

    Raises:
        ConfigError: a word has another form, or a name occurs twice; its setting is "words", which the caller renames.
    """
    paths: dict[str, str] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise ConfigError("words", accepted="NAME=DIR", got=word)
        if name in paths:
            raise ConfigError("words", f"has the name '{name}' twice", fix="give each a different name")
        paths[name] = path
    return paths
