"""DeepSparse on the CPU, used where it is installed: the one engine that turns unstructured zeros into speed.

It has reached its end of life (last release 1.8) and its licence allows evaluation only.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from sparse_core.benchmark.engines.base import Forward, Inputs


class DeepSparseEngine:
    """Runs an ONNX file, compiled once for each input shape."""

    name = "deepsparse"
    modules: tuple[str, ...] = ("deepsparse",)
    install = "deepsparse==1.8.0"
    model_format: Literal["onnx", "huggingface"] = "onnx"

    def load(self, model: Path, num_threads: int) -> Forward:
        """Compiles each input shape when it is first used; the untimed runs keep this out of the timing."""
        compiled_by_shape: dict[tuple[int, ...], Any] = {}

        def forward(inputs: Inputs) -> list[np.ndarray]:
            shape = inputs["input_ids"].shape
            if shape not in compiled_by_shape:
                compiled_by_shape[shape] = _compile(model, num_threads, shape)
            compiled = compiled_by_shape[shape]
            return compiled.run([np.ascontiguousarray(inputs[name]) for name in compiled.input_names])

        return forward


def _compile(model: Path, num_threads: int, shape: tuple[int, ...]) -> Any:
    import deepsparse

    with tempfile.TemporaryDirectory() as directory:
        # DeepSparse writes the fixed shape into the file that it is given.
        copy = shutil.copy(model, directory)
        return deepsparse.Engine(
            copy, batch_size=shape[0], num_cores=num_threads, input_shapes=[list(shape)], scheduler="single_stream"
        )
