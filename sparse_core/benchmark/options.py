"""The settings of a benchmark. Loads nothing heavy."""

from __future__ import annotations

from pydantic import Field

from sparse_core.fields import NameList, Options


class BenchmarkOptions(Options):
    """What to measure, and how often."""

    batch_sizes: NameList = Field("1,16", description="Batch sizes of the latency sweep, separated by commas.")
    sequence_lengths: NameList = Field(
        "32,128", description="Input lengths of the latency sweep, in tokens, separated by commas."
    )
    num_threads: int = Field(0, ge=0, description="Threads of every engine; 0: one per core that this process may use.")
    num_runs: int = Field(30, ge=1, description="Timed runs of each model in each engine at each input shape.")
    num_warmup_runs: int = Field(5, ge=1, description="Untimed runs before the timed ones.")
    engines: NameList = Field(
        "",
        description="Engines to measure, separated by commas: torch, onnxruntime, openvino, deepsparse; empty: all "
        "that are installed.",
    )
