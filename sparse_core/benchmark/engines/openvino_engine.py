"""OpenVINO on the CPU, used where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from sparse_core.benchmark.engines.base import Forward, Inputs


class OpenVinoEngine:
    """Runs an ONNX file, compiled for latency."""

    name = "openvino"
    modules: tuple[str, ...] = ("openvino",)
    install = "openvino"
    model_format: Literal["onnx", "huggingface"] = "onnx"

    def load(self, model: Path, num_threads: int) -> Forward:
        """Compiles the model for the CPU plugin with one stream of `num_threads` threads."""
        import openvino

        core = openvino.Core()
        compiled = core.compile_model(
            core.read_model(model),
            "CPU",
            {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": num_threads, "INFERENCE_PRECISION_HINT": "f32"},
        )
        declared = [port.get_any_name() for port in compiled.inputs]
        outputs = [port.get_any_name() for port in compiled.outputs]

        def forward(inputs: Inputs) -> dict[str, np.ndarray]:
            results = compiled({name: inputs[name] for name in declared})
            # The results' buffers belong to the request and are overwritten by the next call.
            return {name: np.array(results[index]) for index, name in enumerate(outputs)}

        return forward
