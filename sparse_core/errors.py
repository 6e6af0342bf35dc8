"""The errors that a user can cause: objects that say what is wrong, put into words in one place.

An error names the setting by the name that the library gives it. Only the boundary of a process knows how the user
wrote that setting: as a flag, as a line of a YAML file, as an argument. So the boundary renders the error, with a
function that turns the library's name into the user's. No code reads an error's text.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Setting:
    """The mention of a setting in a text; the boundary writes it as its user would."""

    name: str


Text = str | tuple[str | Setting, ...]
"""A text, or its parts where it mentions settings: `("lower ", Setting("max_seq_length"))`."""

Naming = Callable[[str], str]
"""From the library's name of a setting, such as "training_arguments.bf16", to how the user wrote it."""


@dataclass(frozen=True)
class Place:
    """A line of a file."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        """Such as "recipe.yaml, line 7"."""
        return self.file if self.line is None else f"{self.file}, line {self.line}"


class _Absent:
    """The type of ABSENT."""

    def __repr__(self) -> str:
        return "ABSENT"

    def __reduce__(self) -> str:
        return "ABSENT"


ABSENT = _Absent()
"""Stands for no value, where None is a value."""


class SparseCoreError(ValueError):
    """A mistake in what the user gave.

    Attributes:
        setting: the setting at fault, by the library's name; a part of a mapping is separated by a dot, as in
            "task_args.doc_stride". Empty where no setting is at fault.
        problem: what is wrong; empty where `accepted` and `got` say it.
        accepted: what is accepted, to follow "expected".
        got: the value of the setting; ABSENT where the problem is not the value.
        fix: what to do.
        place: the line of a file that is at fault.
    """

    def __init__(
        self,
        setting: str,
        problem: Text = "",
        *,
        accepted: str = "",
        got: Any = ABSENT,
        fix: Text = "",
        place: Place | None = None,
    ) -> None:
        """Takes the attributes."""
        super().__init__(setting, problem)
        self.setting, self.problem, self.accepted = setting, problem, accepted
        self.got, self.fix, self.place = got, fix, place

    def __reduce__(self) -> Any:
        """Lets an error travel between processes."""
        return _restore, (type(self), self.__dict__)

    def __str__(self) -> str:
        """The error with the library's names."""
        return self.render(str)

    def render(self, naming: Naming) -> str:
        """The error in one sentence, each setting written as `naming` says."""
        sentence = _words(self.problem, naming)
        if self.accepted:
            received = "" if self.got is ABSENT else f", got {shown(self.got)}"
            sentence += f"{'; ' if sentence else ''}expected {self.accepted}{received}"
        if self.fix:
            sentence += f"; {_words(self.fix, naming)}"
        named = naming(self.setting) if self.setting else ""
        return ": ".join(part for part in (str(self.place or ""), named, sentence) if part)

    def renamed(self, naming: Naming) -> Self:
        """The same error with other names for its settings."""
        return self._with(
            setting=naming(self.setting) if self.setting else "",
            problem=_renamed(self.problem, naming),
            fix=_renamed(self.fix, naming),
        )

    def at(self, place: Place) -> Self:
        """The same error at a line of a file."""
        return self._with(place=place)

    def _with(self, **changed: Any) -> Self:
        return _restore(type(self), {**self.__dict__, **changed})


def _restore(cls: Any, attributes: Mapping[str, Any]) -> Any:
    error = cls.__new__(cls)
    ValueError.__init__(error, attributes["setting"], attributes["problem"])
    error.__dict__.update(attributes)
    return error


class RecipeError(SparseCoreError):
    """A recipe that cannot be read, or that does not fit the model or the run."""


class DataError(SparseCoreError):
    """A data file, column, label or row that cannot be used."""


class ModelError(SparseCoreError):
    """A model or tokenizer that is missing, incomplete or does not fit the data or its teacher."""


class OutputError(SparseCoreError):
    """An output folder that is in use, not empty, or has no room."""


class ArtifactError(SparseCoreError):
    """An artifact that is damaged, incomplete, or written by a newer version."""


class ExportError(SparseCoreError):
    """An exported model that does not agree with the model it was made from."""


class ConfigError(SparseCoreError):
    """A setting of a run or a step that is unknown or out of range."""


class DependencyError(SparseCoreError):
    """An optional package that this call needs and that is not installed."""


@contextmanager
def renamed_settings(names: Mapping[str, str] | Naming) -> Iterator[None]:
    """Gives the errors of the block other names for their settings.

    A caller uses it where its own setting is what the called function knows by another name:

        with renamed_settings({"model": "teacher"}):
            task.load_model(teacher, schema)

    Args:
        names: the name inside the block -> the name outside; names that are not there stay. Or a function.
    """
    naming: Naming = names if callable(names) else lambda name: names.get(name, name)
    try:
        yield
    except SparseCoreError as error:
        raise error.renamed(naming) from error.__cause__


@contextmanager
def settings_inside(mapping: str, names: Collection[str]) -> Iterator[None]:
    """Lets the errors of the block say that a setting is an entry of a mapping, such as "training_arguments.bf16".

    Args:
        mapping: the setting that holds the entries.
        names: the entries that the user gave; other settings keep their names.
    """
    with renamed_settings(lambda name: f"{mapping}.{name}" if name in names else name):
        yield


def nearest(name: object, accepted: Iterable[str]) -> str:
    """A fix for a name that does not exist, "did you mean 'x'?"; empty where none of the accepted ones is near."""
    matches = difflib.get_close_matches(str(name), list(accepted), n=1, cutoff=0.6)
    return f"did you mean '{matches[0]}'?" if matches else ""


def listed(names: Iterable[object]) -> str:
    """Names with commas between them, or "none"."""
    return ", ".join(map(str, names)) or "none"


def shown(value: object) -> str:
    """A value for a message: as YAML would write it, texts in quotes, cut to 80 characters."""
    text = f"'{value}'" if isinstance(value, str) else plain(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def plain(value: object) -> str:
    """A value as YAML would write it, texts without quotes, cut to 80 characters."""
    if value is None:
        text = "null"
    elif isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, float):
        text = f"{value:g}" if float(f"{value:g}") == value else repr(value)
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(plain(item) for item in value)}]"
    else:
        text = str(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."


def _words(text: Text, naming: Naming) -> str:
    parts = (text,) if isinstance(text, str) else text
    return "".join(naming(part.name) if isinstance(part, Setting) else part for part in parts)


def _renamed(text: Text, naming: Naming) -> Text:
    if isinstance(text, str):
        return text
    return tuple(Setting(naming(part.name)) if isinstance(part, Setting) else part for part in text)
