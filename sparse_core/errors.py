"""The errors that a user can cause, and the one place where they become an exit code.

Every message is one sentence that names the setting as the user wrote it, the value that was found, what is accepted
and, where it is known, the fix.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

INTERRUPTED_EXIT_CODE = 130  # 128 + SIGINT, the shell's convention


class SparseCoreError(ValueError):
    """A mistake in what the user gave; its text is meant to be read by that user."""


class RecipeError(SparseCoreError):
    """A recipe that cannot be read, or that does not fit the model or the run."""


class DataError(SparseCoreError):
    """A data file, column, label or row that cannot be used."""


class ModelError(SparseCoreError):
    """A model or tokenizer that is missing, incomplete or does not fit the data or its teacher."""


class OutputError(SparseCoreError):
    """An output folder that is in use, not empty, or has no room."""


class ExportError(SparseCoreError):
    """An exported model that does not agree with the model it was made from."""


class ConfigError(SparseCoreError):
    """A setting of a run or a step that is unknown or out of range."""


class DependencyError(SparseCoreError):
    """An optional package that this call needs and that is not installed."""


def did_you_mean(name: str, accepted: Iterable[str]) -> str:
    """Text to append to a message: the accepted spelling nearest to `name`, or nothing when none is near."""
    matches = difflib.get_close_matches(name, list(accepted), n=1, cutoff=0.6)
    return f"; did you mean '{matches[0]}'?" if matches else ""


@contextmanager
def process_boundary() -> Iterator[None]:
    """Turns a user's mistake or Ctrl-C inside the block into one line on stderr and a non-zero exit.

    Raises:
        SystemExit: with code 1 after a `SparseCoreError`, with code 130 after an interrupt. Anything else is a defect
            of ours and keeps its traceback.
    """
    try:
        yield
    except SparseCoreError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(
            "interrupted: nothing was published; the same command goes on from the last checkpoint",
            file=sys.stderr,
            flush=True,
        )
        raise SystemExit(INTERRUPTED_EXIT_CODE) from None
