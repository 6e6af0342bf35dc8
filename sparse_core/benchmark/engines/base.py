"""The interface of engines: an engine loads a model and then computes its outputs from token ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

Inputs = Mapping[str, np.ndarray]
"""Input name -> int64 array of shape (batch_size, sequence_length)."""
Forward = Callable[[Inputs], Mapping[str, np.ndarray] | Sequence[np.ndarray]]
"""Inputs -> all float outputs of the model, (batch_size, ...), by name, or in the order of the graph's outputs.

Ignores inputs that the model does not declare.
"""


class Engine(Protocol):
    """An inference engine. Loading imports its package; nothing is imported before."""

    @property
    def name(self) -> str:
        """The name that users write and reports show."""

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that the engine imports; their presence means that it is installed."""

    @property
    def install(self) -> str:
        """What to give to pip install."""

    @property
    def model_format(self) -> Literal["onnx", "huggingface"]:
        """What `load` takes: an ONNX file, or a Hugging Face model directory."""

    def load(self, model: Path, num_threads: int) -> Forward:
        """Loads `model` for inference with `num_threads` threads. Never changes the file."""


def make_inputs(batch_size: int, sequence_length: int, vocab_size: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Random token ids without padding, in the inputs that BERT-like encoders take.

    Returns:
        input_ids, attention_mask (ones) and token_type_ids (zeros), each int64 of (batch_size, sequence_length).
    """
    shape = (batch_size, sequence_length)
    return {
        "input_ids": np.random.default_rng(seed).integers(0, vocab_size, shape, dtype=np.int64),
        "attention_mask": np.ones(shape, dtype=np.int64),
        "token_type_ids": np.zeros(shape, dtype=np.int64),
    }
