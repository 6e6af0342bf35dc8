"""From the words of a command line, or of one file, to typed arguments."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
import yaml
from transformers import HfArgumentParser
from transformers.hf_argparser import string_to_bool

from sparse_core.cli.sparseml.arguments import RecipeArguments
from sparse_core.cli.sparseml.checks import require_objects, require_ranges
from sparse_core.errors import ConfigError, nearest, renamed_settings
from sparse_core.tasks import task_commands
from sparse_core.tasks.command import DataArguments, ModelArguments, TaskCommand
from sparse_core.training.arguments import TrainingArguments
from sparse_core.training.checks import require_usable
from sparse_core.training.old_arguments import OLD_NAMES, RENAMED, RENAMED_VALUES, is_true, new_argument, new_value

logger = logging.getLogger(__name__)

FILE_SUFFIXES = (".json", ".yaml", ".yml")
REFUSED = {
    "trust_remote_code": "code from a model's repository is never run; use an architecture that transformers has",
}
"""Flags that SparseML had and that are an error here, with the reason."""

_LIST_FLAGS = frozenset(field.name for field in dataclasses.fields(TrainingArguments) if "list" in str(field.type))
"""Flags that take several words; others take a list of a file as one text with commas."""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """One command line.

    Attributes:
        command: which command.
        model: its model flags.
        data: its data flags.
        recipe: its recipe flags.
        training: its training flags.
        user_flags: names of the flags that the user wrote; the new names of renamed ones.
        file: the file that flags came from; None: there was none.
    """

    command: TaskCommand
    model: ModelArguments
    data: DataArguments
    recipe: RecipeArguments
    training: TrainingArguments
    user_flags: frozenset[str]
    file: Path | None


def parse(task: str, words: Sequence[str]) -> Arguments:
    """The arguments of a training command.

    Args:
        task: name of the command.
        words: what follows it; the first may be a .json or .yaml file with flags and values.

    Raises:
        ConfigError: a flag is unknown, or a value cannot be used.
        SystemExit: `--help` was asked for.
    """
    command = task_commands()[task]
    parts = (RecipeArguments, command.data, command.model, TrainingArguments)
    namespace = FlagParser(task, f"{command.title}, by a recipe.", parts).parse(words)
    _fit_to_machine(namespace)
    require_objects(namespace)
    recipe, data, model, training = (instance(part, namespace) for part in parts)
    user_flags = frozenset(name for name in vars(namespace) if name in namespace.user_flags)
    arguments = Arguments(command, model, data, recipe, training, user_flags, _file_of(words))
    with renamed_settings(lambda name: f"--{name}" if name in vars(namespace) else name):
        require_usable(training)
        require_ranges((model, data, recipe, training))
    return arguments


def _fit_to_machine(namespace: argparse.Namespace) -> None:
    """Drops flags that this machine cannot follow and that do not change the result; logs each.

    Raises:
        ConfigError: there is no output_dir.
    """
    if not namespace.output_dir:
        raise ConfigError(
            "--output_dir", "is not given", accepted="the folder for the model, its scores and checkpoints"
        )
    if namespace.disable_tqdm is None:
        namespace.disable_tqdm = True
    if torch.accelerator.is_available():
        return
    namespace.use_cpu = True  # bf16 on a CPU is refused without it
    for name in ("fp16", "fp16_full_eval"):
        if getattr(namespace, name):
            logger.warning("--%s has no effect: float16 needs a GPU, and there is none; float32 is used", name)
            setattr(namespace, name, False)


def instance(cls: type, namespace: argparse.Namespace) -> Any:
    """A dataclass of flags with the parsed values.

    Raises:
        ConfigError: its own checks refuse them.
    """
    values = {field.name: getattr(namespace, field.name) for field in dataclasses.fields(cls) if field.init}
    try:
        return cls(**values)
    except (ValueError, TypeError, NotImplementedError, ImportError, RuntimeError, OSError) as error:
        raise ConfigError("", " ".join(str(error).split())) from None


# --- a file in place of flags -----------------------------------------------------------------------------------------


def _file_of(words: Sequence[str]) -> Path | None:
    """The file at the start of a command line, if there is one."""
    is_file = bool(words) and words[0].endswith(FILE_SUFFIXES) and not words[0].startswith("-")
    return Path(words[0]) if is_file else None


def _values_of(path: Path) -> dict[str, Any]:
    """Flags and values of a file.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(str(path), f"the file cannot be read: {error.strerror}") from None
    except (ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split()).replace(' in "<unicode string>"', "")
        raise ConfigError(str(path), f"not a {path.suffix[1:].upper()} file: {reason}") from None
    if not isinstance(values, dict):
        raise ConfigError(str(path), accepted='flags and their values, such as {"do_train": true}')
    return {str(name).lstrip("-"): value for name, value in values.items()}


def _words(name: str, value: Any, action: argparse.Action | None) -> list[str]:
    """A flag and its value from a file as words of a command line.

    Args:
        name: of the flag.
        value: as JSON or YAML has it.
        action: the flag; None: there is no such flag.
    """
    if value in (None, [], f"<{name.upper()}>"):  # the last one is how transformers writes a token into a file
        return []
    if isinstance(value, list) and name in _LIST_FLAGS:
        return [f"--{name}", *map(str, value)]
    if isinstance(value, list):
        value = ",".join(map(str, value))
    if value is False and action is not None and "no" in (action.choices or ()):
        value = "no"  # which YAML reads as false
    if isinstance(value, float) and action is not None and action.type is int and value.is_integer():
        value = int(value)
    if isinstance(value, bool | Mapping):
        value = json.dumps(value)
    return [f"--{name}={value}"]


# --- the parser -------------------------------------------------------------------------------------------------------


class _OneSpelling(argparse.ArgumentDefaultsHelpFormatter):
    """Shows the first spelling of a flag, and its default where it has one."""

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings or action.nargs == 0:
            return ", ".join(action.option_strings)
        return f"{action.option_strings[0]} {self._format_args(action, self._get_default_metavar_for_optional(action))}"

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        kind = getattr(action.type, "__name__", "text")
        return {"int": "N", "float": "X", "string_to_bool": "true|false"}.get(kind, "TEXT")

    def _get_help_string(self, action: argparse.Action) -> str | None:
        return action.help if action.default in (None, "", argparse.SUPPRESS) else super()._get_help_string(action)


class FlagParser(HfArgumentParser):
    """All flags of a command: its own, Hugging Face's, and old ones; each spelled with underscores or hyphens."""

    def __init__(self, name: str, title: str, parts: Sequence[type]) -> None:
        """Makes the flags of dataclasses.

        Args:
            name: of the command.
            title: first line of its help.
            parts: dataclasses, a field for each flag.
        """
        super().__init__(
            parts,
            prog=f"sparse-core {name}",
            usage=f"sparse-core {name} --flag value ...  |  sparse-core {name} run.json",
            description=title,
            formatter_class=_OneSpelling,
            allow_abbrev=False,
            exit_on_error=False,
        )
        for name in (*OLD_NAMES, *REFUSED):
            self.add_argument(*_spellings(name), action=_OldFlag, dest=name, help=argparse.SUPPRESS)
        for action in self._actions:
            if action.type is string_to_bool:
                action.type = _switch
            if action.dest in RENAMED_VALUES:
                action.type = _with_renamed_values(action.dest, action.type)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The values of all flags by name, and `user_flags`, the names of those that were written.

        Args:
            words: flags and values; the first may be a .json or .yaml file that has them, which later ones overrule.

        Raises:
            ConfigError: a flag is unknown, or a value cannot be used.
        """
        file = _file_of(words)
        if file is not None:
            words = [*self.words_of(_values_of(file)), *words[1:]]
        user_flags: set[str] = set()
        try:
            namespace, unknown = self.parse_known_args(words, argparse.Namespace(user_flags=user_flags))
        except argparse.ArgumentError as error:
            raise ConfigError(_as_written(error.argument_name, words), error.message) from None
        if unknown:
            self._refuse(unknown[0].partition("=")[0])
        by_option = {option: action.dest for action in self._actions for option in action.option_strings}
        user_flags |= {by_option[name] for word in words if (name := word.partition("=")[0]) in by_option}
        return namespace

    def words_of(self, values: Mapping[str, Any]) -> list[str]:
        """The words of a command line for flags and their values from JSON or YAML.

        Where an old name and its new one are both there, as in what transformers 4 wrote, one that is 0 or off is left
        out.
        """
        pairs = [(old, RENAMED[old].to) for old in values if old in RENAMED and RENAMED[old].to in values]
        silent = {name for pair in pairs for name in pair if not values[name]}
        return [
            word
            for name, value in values.items()
            if name not in silent
            for word in _words(name, value, self.action_of(name))
        ]

    def action_of(self, name: str) -> argparse.Action | None:
        """The action of a flag in any spelling; an old name has the action of its new one; None: no such flag."""
        name = name.replace("-", "_")
        option = f"--{RENAMED[name].to if name in RENAMED else name}"
        return next((action for action in self._actions if option in action.option_strings), None)

    def error(self, message: str) -> NoReturn:
        """Raises ConfigError with argparse's message."""
        raise ConfigError("", f"{self.prog}: {message}", fix=f"`{self.prog} --help` lists what is accepted")

    def _refuse(self, name: str) -> NoReturn:
        options = [option for action in self._actions for option in action.option_strings]
        kind = "flag" if name.startswith("-") else "argument"
        raise ConfigError(name, f"unknown {kind} of {self.prog}", fix=nearest(name, options))


class _OldFlag(argparse.Action):
    """A flag of an older version: it has its old effect, or the log says why not."""

    def __init__(self, option_strings: list[str], dest: str, **kwargs: Any) -> None:
        super().__init__(option_strings, dest, nargs="?", const="true", default=argparse.SUPPRESS, **kwargs)

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if self.dest in REFUSED:
            if is_true(values):
                raise ConfigError(option_string or self.dest, REFUSED[self.dest])
        elif (renamed := new_argument(self.dest, values, option_string or self.dest)) is not None:
            assert isinstance(parser, FlagParser)
            value, action = renamed[1], parser.action_of(self.dest)
            assert action is not None
            try:
                converted = action.type(value) if callable(action.type) else value
            except (ValueError, TypeError, argparse.ArgumentTypeError):
                raise argparse.ArgumentError(self, f"invalid value: '{value}'") from None
            if action.choices is not None and converted not in action.choices:
                raise argparse.ArgumentError(
                    self, f"invalid choice: '{value}' (choose from {', '.join(map(str, action.choices))})"
                )
            setattr(namespace, action.dest, converted)
            namespace.user_flags.add(action.dest)


def _with_renamed_values(name: str, convert: Any) -> Callable[[str], Any]:
    """A flag's type that takes old values too, with a line in the log that says the new one."""

    def converted(text: str) -> Any:
        return convert(new_value(name, text, f"--{name}"))

    return converted


def _switch(text: str) -> bool:
    try:
        return string_to_bool(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"expected true or false, got '{text}'") from None


def _spellings(name: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys([f"--{name}", f"--{name.replace('_', '-')}"]))


def _as_written(argument: str | None, words: Sequence[str]) -> str:
    """The spelling, of argparse's `--a_b/--a-b`, that the user wrote."""
    spellings = (argument or "").split("/")
    written = [spelling for spelling in spellings if any(word.partition("=")[0] == spelling for word in words)]
    return (written or spellings)[0]
