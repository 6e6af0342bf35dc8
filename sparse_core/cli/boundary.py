"""The boundary of the process: turns a user's mistake into one line and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sparse_core.errors import Naming, SparseCoreError

INTERRUPTED_EXIT_CODE = 130  # 128 + SIGINT, the shell's convention
RESUMES = "interrupted: nothing was published; run the same command again to continue from the last checkpoint"


@contextmanager
def process_boundary(naming: Naming = str, interrupted: str = RESUMES) -> Iterator[None]:
    """Turns a user's mistake or Ctrl-C inside the block into one line on stderr and a non-zero exit.

    Args:
        naming: from the library's name of a setting to the name that the user wrote.
        interrupted: the line to print after Ctrl-C.

    Raises:
        SystemExit: with code 1 after a `SparseCoreError`, with code 130 after an interrupt. Other exceptions are
            defects of this library and keep their traceback.
    """
    try:
        yield
    except SparseCoreError as error:
        print(f"error: {error.render(naming)}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr, flush=True)
        raise SystemExit(INTERRUPTED_EXIT_CODE) from None
