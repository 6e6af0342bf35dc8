"""The settings of a benchmark, checked before anything is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparse_core.benchmark.engines import select_engines
from sparse_core.benchmark.engines.base import Engine
from sparse_core.benchmark.hardware import usable_cores
from sparse_core.errors import ConfigError


@dataclass(frozen=True)
class BenchmarkSettings:
    """What to measure and how often; lengths in tokens, `num_runs` per engine, model and input shape."""

    max_seq_length: int
    batch_sizes: tuple[int, ...]
    sequence_lengths: tuple[int, ...]
    num_threads: int
    num_runs: int
    num_warmup_runs: int
    engines: tuple[Engine, ...]

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Every (batch_size, sequence_length) of the sweep."""
        return [(batch_size, length) for batch_size in self.batch_sizes for length in self.sequence_lengths]

    def as_row(self) -> dict[str, Any]:
        """The entry of report.json."""
        return {**vars(self), "engines": [engine.name for engine in self.engines]}

    def check_positions(self, model: Path, max_positions: int | None) -> None:
        """Refuses inputs that are longer than the model can read.

        Args:
            model: its directory, for messages.
            max_positions: most tokens that it can read; None: it sets no limit.

        Raises:
            ConfigError: a length is above `max_positions` tokens.
        """
        if max_positions is None:
            return
        for name, length in (("sequence_lengths", max(self.sequence_lengths)), ("max_seq_length", self.max_seq_length)):
            if length > max_positions:
                raise ConfigError(
                    f"{name}: expected at most {max_positions} tokens, which is all that the model {model} has "
                    f"positions for, got {length}"
                )


def parse_settings(
    *,
    max_seq_length: int,
    batch_sizes: str,
    sequence_lengths: str,
    num_threads: int,
    num_runs: int,
    num_warmup_runs: int,
    engines: str,
) -> BenchmarkSettings:
    """The checked settings; arguments as in `sparse_core.steps.benchmark.benchmark`.

    Raises:
        ConfigError: a number is out of range, a list cannot be read, or an engine is unknown.
        DependencyError: an engine is not installed.
    """
    for name, value in (
        ("max_seq_length", max_seq_length),
        ("num_runs", num_runs),
        ("num_warmup_runs", num_warmup_runs),
    ):
        if value < 1:
            raise ConfigError(f"{name}: expected 1 or more, got {value}")
    if num_threads < 0:
        raise ConfigError(f"num_threads: expected 1 or more, or 0 for one per usable core, got {num_threads}")
    return BenchmarkSettings(
        max_seq_length=max_seq_length,
        batch_sizes=parse_positive_integers("batch_sizes", batch_sizes),
        sequence_lengths=parse_positive_integers("sequence_lengths", sequence_lengths),
        num_threads=num_threads or usable_cores(),
        num_runs=num_runs,
        num_warmup_runs=num_warmup_runs,
        engines=select_engines(engines),
    )


def parse_positive_integers(setting: str, text: str) -> tuple[int, ...]:
    """The numbers of a comma-separated list, ascending, each once.

    Raises:
        ConfigError: the text is anything but comma-separated positive integers.
    """
    entries = [entry.strip() for entry in text.split(",")]
    for entry in entries:
        if not (entry.isascii() and entry.isdigit() and int(entry) > 0):
            raise ConfigError(f"{setting}: expected positive integers separated by commas, like '1,16', got '{text}'")
    return tuple(sorted({int(entry) for entry in entries}))
