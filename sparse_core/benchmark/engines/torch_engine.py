"""PyTorch in eager mode, in which models are trained."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Literal

import numpy as np

from sparse_core.benchmark.engines.base import Forward, Inputs
from sparse_core.errors import ModelError


class TorchEngine:
    """Runs a Hugging Face directory in float32 with the attention that transformers picks (SDPA where it can)."""

    name = "torch"
    modules: tuple[str, ...] = ("torch", "transformers.modeling_utils")
    install = "sparse-pipelines[train]"
    model_format: Literal["onnx", "huggingface"] = "huggingface"

    def load(self, model: Path, num_threads: int) -> Forward:
        """Loads the class that config.json names; sets the number of threads of the whole process.

        Raises:
            ModelError: config.json names no architecture of transformers.
        """
        import torch
        import transformers

        torch.set_num_threads(num_threads)
        architectures = transformers.AutoConfig.from_pretrained(model).architectures or ["none"]
        model_class = getattr(transformers, architectures[0], None)
        if model_class is None:
            raise ModelError(
                "model",
                f"the architectures of {model / 'config.json'}",
                accepted="a model class of transformers",
                got=architectures[0],
            )
        module = model_class.from_pretrained(model, dtype=torch.float32).eval()
        declared = list(inspect.signature(module.forward).parameters)

        def forward(inputs: Inputs) -> dict[str, np.ndarray]:
            tensors = {name: torch.from_numpy(inputs[name]) for name in declared if name in inputs}
            with torch.inference_mode():
                outputs = module(**tensors)
            return {name: value.numpy() for name, value in outputs.items() if isinstance(value, torch.Tensor)}

        return forward
