"""The boundary of a process: where a user's mistake becomes one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sparse_core.errors import Naming, SparseCoreError

INTERRUPTED_EXIT_CODE = 130  # 128 + SIGINT, the shell's convention
RESUMES = "interrupted: nothing was published; the same command goes on from the last checkpoint"


@contextmanager
def process_boundary(naming: Naming = str, interrupted: str = RESUMES) -> Iterator[None]:
    """Turns a user's mistake or Ctrl-C inside the block into one line on stderr and a non-zero exit.

    Args:
        naming: how the user wrote a setting, given the library's name.
        interrupted: the line after Ctrl-C.

    Raises:
        SystemExit: with code 1 after a `SparseCoreError`, with code 130 after an interrupt. Other exceptions are
            defects of ours and keep their traceback.
    """
    try:
        yield
    except SparseCoreError as error:
        print(f"error: {error.render(naming)}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr, flush=True)
        raise SystemExit(INTERRUPTED_EXIT_CODE) from None
