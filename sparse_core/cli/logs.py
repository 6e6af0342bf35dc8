"""Configures logging: short lines by default, times and logger names with `--verbose`."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

LIBRARY_LOGGERS = ("sparse_core", "sparse_pipelines")
_QUIET_LOGGERS = ("transformers.trainer_utils",)
"""Logger that warns about file times, on some file systems at every checkpoint; the user can ignore it."""


class CompactFormatter(logging.Formatter):
    """Formats INFO as the bare message, and puts `warning: ` or `error: ` before higher levels."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of one record."""
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


def configure_logging(verbose: bool = False, stream: TextIO | None = None) -> None:
    """Sends log lines to `stream`: those of this project, and warnings and errors of other libraries.

    Args:
        verbose: also log debug lines, and put time and logger name before each line.
        stream: default: stderr.
    """
    # Hugging Face's libraries read this when they are imported later. Their progress bars say less than our log lines.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s") if verbose else CompactFormatter()
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in LIBRARY_LOGGERS:
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING if verbose else logging.ERROR)
