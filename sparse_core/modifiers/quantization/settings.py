"""The settings of a quantized structure, which a checkpoint keeps so that the structure can be rebuilt."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

QUANT_METHOD = "sparse-pipelines"
"""Value of `quantization_config.quant_method` in a config.json of ours."""

Phase = Literal["observing", "frozen"]
"""Whether ranges move in train mode."""


@dataclass(frozen=True)
class QuantizationSettings:
    """Which modules are quantized, and to how many bits."""

    submodules: tuple[str, ...] | None = None
    """Names of the modules to quantize within; None: the whole model."""
    exclude_module_types: tuple[str, ...] = ()
    """Class names of modules that stay float with everything inside them."""
    quantize_embeddings: bool = True
    quantize_linear_activations: bool = False
    """Whether the outputs of Linear layers are quantized too; the inputs always are."""
    quantize_attention: bool | None = None
    """Whether the four operands of the two attention matmuls are quantized; None: where the model allows it."""
    weight_bits: int = 7
    """Bits of a Linear weight, 2 to 8; embedding tables always have 8."""

    def to_dict(self) -> dict[str, Any]:
        """JSON form, read back by `from_dict`."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> QuantizationSettings:
        """Settings from their JSON form; raises TypeError for an unknown key."""
        plain: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return cls(**plain)
