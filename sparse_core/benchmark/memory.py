"""Load time and peak memory of one model in one engine, measured in a process of their own.

`python -m sparse_core.benchmark.memory REQUEST` is that process: it takes a JSON object and writes one line of JSON.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from sparse_core.benchmark.engines import ENGINES
from sparse_core.benchmark.engines.base import Engine, make_inputs

_STATUS = Path("/proc/self/status")
_PEAK_FIELD = "VmHWM"
_ERROR_CHARACTERS = 300


class EngineFailure(RuntimeError):
    """An engine could not load or run a model; the text says how its process ended."""


@dataclass(frozen=True)
class Footprint:
    """Cost of loading one model in one engine.

    Attributes:
        load_ms: milliseconds from the call to the first answer at the smallest shape. It is the second load of the
            process, so that imports and a cold disk do not count.
        baseline_bytes: peak resident memory with the engine's modules imported and no model loaded; None on systems
            without /proc.
        peak_bytes: peak resident memory after the first load and one answer at each shape; None likewise.
    """

    load_ms: float
    baseline_bytes: int | None
    peak_bytes: int | None

    @property
    def increment_bytes(self) -> int | None:
        """Memory that the model itself takes."""
        if self.peak_bytes is None or self.baseline_bytes is None:
            return None
        return self.peak_bytes - self.baseline_bytes


def measure_footprint(
    engine: Engine, model: Path, shapes: list[tuple[int, int]], *, vocab_size: int, num_threads: int
) -> Footprint:
    """Loads and runs `model` in a fresh process.

    An engine that aborts on a model ends that process and not the benchmark, so every shape of the sweep is tried.

    Args:
        engine: the engine to run.
        model: what the engine loads.
        shapes: (batch_size, sequence_length) of the sweep.
        vocab_size: number of token ids of the model.
        num_threads: threads that the engine may use.

    Raises:
        EngineFailure: the process ended with an error.
    """
    request = {
        "engine": engine.name,
        "model": str(model),
        "shapes": sorted(shapes),
        "vocab_size": vocab_size,
        "num_threads": num_threads,
    }
    completed = subprocess.run(
        [sys.executable, "-m", __name__, json.dumps(request)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode != 0:
        raise EngineFailure(_reason(completed.returncode, completed.stderr))
    return Footprint(**json.loads(completed.stdout.splitlines()[-1]))


def _reason(returncode: int, stderr: str) -> str:
    if returncode < 0:
        return f"its process was ended by {signal.Signals(-returncode).name}"
    lines = stderr.strip().splitlines() or [f"its process ended with status {returncode}"]
    return lines[-1][:_ERROR_CHARACTERS]


def peak_resident_bytes(status: str) -> int | None:
    """Peak resident memory from the text of /proc/PID/status, or None when it is not stated.

    getrusage does not serve: its maximum survives exec, so a child starts with the peak of its parent.
    """
    for line in status.splitlines():
        if line.startswith(f"{_PEAK_FIELD}:"):
            return int(line.split()[1]) * 1024
    return None


def _own_peak_bytes() -> int | None:
    return peak_resident_bytes(_STATUS.read_text(encoding="utf-8")) if _STATUS.is_file() else None


def _load_and_run(request: dict) -> Footprint:
    engine = ENGINES[request["engine"]]
    for module in engine.modules:
        importlib.import_module(module)
    model, num_threads = Path(request["model"]), request["num_threads"]
    inputs = [make_inputs(rows, length, request["vocab_size"]) for rows, length in request["shapes"]]
    baseline_bytes = _own_peak_bytes()
    forward = engine.load(model, num_threads)
    for shaped in inputs:
        forward(shaped)
    peak_bytes = _own_peak_bytes()
    del forward
    start = time.perf_counter()
    engine.load(model, num_threads)(inputs[0])
    load_ms = (time.perf_counter() - start) * 1e3
    return Footprint(load_ms, baseline_bytes, peak_bytes)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_load_and_run(json.loads(sys.argv[1])))) + "\n")
