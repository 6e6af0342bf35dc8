"""What all tests share: no network, no file outside of the test, loggers as they were."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sparse_core.cli.logs import LIBRARY_LOGGERS

os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Gives each test a cache of its own, so that no test sees what another, or the user, has left."""
    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SPARSE_CORE_CACHE", str(cache))
    return cache


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Puts the loggers back as they were: the command lines configure them for the whole process."""
    loggers = [logging.getLogger(name) for name in (None, *LIBRARY_LOGGERS)]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers
