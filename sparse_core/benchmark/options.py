"""The settings of a benchmark. Loads nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo

from sparse_core.errors import ConfigError, listed, nearest
from sparse_core.fields import NameList, Options

ENGINE_NAMES = ("torch", "onnxruntime", "openvino", "deepsparse")
"""The engines that can be measured, in the order of the report."""


def split_names(text: str) -> list[str]:
    """The entries of a comma-separated list."""
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _positive_integers(text: str, info: ValidationInfo) -> str:
    entries = [entry.strip() for entry in text.split(",")]
    if not all(entry.isascii() and entry.isdigit() and int(entry) > 0 for entry in entries):
        raise ConfigError(
            str(info.field_name), accepted="positive whole numbers with commas between, such as 1,16", got=text
        )
    return text


def _engine_names(text: str, info: ValidationInfo) -> str:
    for name in split_names(text):
        if name not in ENGINE_NAMES:
            raise ConfigError(
                str(info.field_name),
                accepted=f"names out of {listed(ENGINE_NAMES)}, with commas between",
                got=name,
                fix=nearest(name, ENGINE_NAMES),
            )
    return text


IntegerList = Annotated[NameList, AfterValidator(_positive_integers)]
"""Positive whole numbers, separated by commas or as a list."""
EngineList = Annotated[NameList, AfterValidator(_engine_names)]
"""Names of engines, separated by commas or as a list."""


class BenchmarkOptions(Options):
    """What to measure, and how often."""

    batch_sizes: IntegerList = Field("1,16", description="Batch sizes of the latency sweep, separated by commas.")
    sequence_lengths: IntegerList = Field(
        "32,128", description="Input lengths of the latency sweep, in tokens, separated by commas."
    )
    num_threads: int = Field(0, ge=0, description="Threads of every engine; 0: one per core that this process may use.")
    num_runs: int = Field(30, ge=1, description="Timed runs of each model in each engine at each input shape.")
    num_warmup_runs: int = Field(5, ge=1, description="Untimed runs before the timed ones.")
    engines: EngineList = Field(
        "",
        description="Engines to measure, separated by commas: torch, onnxruntime, openvino, deepsparse; empty: all "
        "that are installed.",
    )

    @property
    def sorted_batch_sizes(self) -> list[int]:
        """The batch sizes as numbers, ascending, each once."""
        return _numbers(self.batch_sizes)

    @property
    def sorted_sequence_lengths(self) -> list[int]:
        """The sequence lengths as numbers, ascending, each once."""
        return _numbers(self.sequence_lengths)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Every (batch_size, sequence_length) of the sweep."""
        return [(batch, length) for batch in self.sorted_batch_sizes for length in self.sorted_sequence_lengths]


def _numbers(text: str) -> list[int]:
    return sorted({int(entry) for entry in text.split(",")})


def require_positions(lengths: Mapping[str, int], model: object, max_positions: int | None) -> None:
    """Refuses inputs that are longer than a model can read.

    Args:
        lengths: setting -> its greatest length in tokens.
        model: what the message calls the model.
        max_positions: most tokens that the model can read; None: no limit.

    Raises:
        ConfigError: a length is above `max_positions`.
    """
    for name, length in lengths.items():
        if max_positions is not None and length > max_positions:
            raise ConfigError(
                name,
                f"{model} has positions for {max_positions} tokens",
                accepted=f"at most {max_positions}",
                got=length,
            )
