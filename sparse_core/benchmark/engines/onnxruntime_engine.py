"""ONNX Runtime on the CPU: the reference that all latencies are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from sparse_core.benchmark.engines.base import Forward, Inputs


class OnnxRuntimeEngine:
    """Runs an ONNX file with all graph optimizations."""

    name = "onnxruntime"
    modules: tuple[str, ...] = ("onnxruntime",)
    install = "sparse-pipelines[benchmark]"
    model_format: Literal["onnx", "huggingface"] = "onnx"

    def load(self, model: Path, num_threads: int) -> Forward:
        """Opens a session with `num_threads` intra-op threads."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = num_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Without this, idle threads of the pool keep a core busy while the next engine is measured.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        declared = [node.name for node in session.get_inputs()]
        outputs = [node.name for node in session.get_outputs()]

        def forward(inputs: Inputs) -> dict[str, np.ndarray]:
            return dict(zip(outputs, session.run(outputs, {name: inputs[name] for name in declared}), strict=True))

        return forward
