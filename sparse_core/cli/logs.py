"""The one place that configures logging: compact lines for people, logger names for those who look for a defect."""

from __future__ import annotations

import logging
import os
import sys
from typing import TextIO

LIBRARY_LOGGERS = ("sparse_core", "sparse_pipelines")
_QUIET_LOGGERS = ("transformers.trainer_utils",)
"""Warns about file times, on some file systems at every checkpoint; nothing follows from it for the user."""


class CompactFormatter(logging.Formatter):
    """The bare message at level INFO; `warning: ` or `error: ` before it above that."""

    def format(self, record: logging.LogRecord) -> str:
        """The text of one record."""
        text = super().format(record)
        return text if record.levelno <= logging.INFO else f"{record.levelname.lower()}: {text}"


def configure_logging(verbose: bool = False, stream: TextIO | None = None) -> None:
    """Sends this project's log lines to `stream` (default: stderr); other libraries are heard from WARNING on.

    Args:
        verbose: debug lines too, each with its time and logger name.
        stream: where the lines go.
    """
    # read when Hugging Face's libraries are imported, which is later; their bars say less than the step's own lines
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
