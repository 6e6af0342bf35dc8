"""Keeps other libraries' loading messages and progress bars out of the log."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Hides transformers' load reports and bars inside the block; the library checks and reports what matters."""
    from transformers.utils import logging

    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()


@contextmanager
def datasets_bars_on_terminals() -> Iterator[None]:
    """Hides the progress bars of `datasets` and of the hub inside the block unless standard error is a terminal."""
    import datasets
    from huggingface_hub import utils

    has_bars, has_hub_bars = not datasets.are_progress_bars_disabled(), not utils.are_progress_bars_disabled()
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
        utils.disable_progress_bars()
    try:
        yield
    finally:
        if has_bars:
            datasets.enable_progress_bars()
        if has_hub_bars:
            utils.enable_progress_bars()
