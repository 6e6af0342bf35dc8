"""The plugin that saves and loads a quantized checkpoint as an ordinary Hugging Face directory.

Importing this module registers it: from then on `from_pretrained` brings a quantized model back, and accepts a
`SparsePipelinesConfig` for a float checkpoint. A transformers that has not imported it refuses the checkpoint.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.quantizers import HfQuantizer, register_quantization_config, register_quantizer
from transformers.utils.quantization_config import QuantizationConfigMixin

from sparse_core.errors import ModelError, listed, nearest
from sparse_core.modifiers.quantization.attention import quantize_attention, use_attention_function
from sparse_core.modifiers.quantization.modules import (
    quantize_embedding,
    quantize_linear,
    reset_ranges,
    set_observing,
)
from sparse_core.modifiers.quantization.observers import FakeQuantize
from sparse_core.modifiers.quantization.settings import QUANT_METHOD, Phase, QuantizationSettings
from sparse_core.modifiers.quantization.targets import quantization_targets, settings_for

logger = logging.getLogger(__name__)

_SETTING_NAMES = tuple(field.name for field in dataclasses.fields(QuantizationSettings))


@register_quantization_config(QUANT_METHOD)
class SparsePipelinesConfig(QuantizationConfigMixin):
    """`quantization_config` of config.json: the settings, and whether the ranges still move."""

    quantize_attention: bool | None

    def __init__(self, *, phase: Phase = "observing", quant_method: str = QUANT_METHOD, **settings: Any) -> None:
        """Reads the settings as `QuantizationSettings` names them.

        Raises:
            ModelError: a key or the phase is unknown.
        """
        unknown = [name for name in settings if name not in _SETTING_NAMES]
        if unknown:
            raise ModelError(
                f"quantization_config.{unknown[0]}",
                "unknown setting",
                accepted=f"one of {listed(_SETTING_NAMES)}",
                fix=nearest(unknown[0], _SETTING_NAMES),
            )
        if phase not in ("observing", "frozen"):
            raise ModelError("quantization_config.phase", accepted="one of observing, frozen", got=phase)
        self.quant_method = quant_method
        self.phase: Phase = phase
        for name, value in QuantizationSettings.from_dict(settings).to_dict().items():
            setattr(self, name, value)

    @property
    def settings(self) -> QuantizationSettings:
        """The settings of the structure."""
        return QuantizationSettings.from_dict({name: getattr(self, name) for name in _SETTING_NAMES})


@register_quantizer(QUANT_METHOD)
class SparsePipelinesQuantizer(HfQuantizer):
    """Makes the quantized structure before `from_pretrained` loads the weights."""

    quantization_config: SparsePipelinesConfig

    def update_dtype(self, dtype: torch.dtype) -> torch.dtype:
        """Always float32: ranges and master weights lose their meaning in half precision."""
        return torch.float32

    def _process_model_before_weight_loading(self, model: PreTrainedModel, **kwargs: Any) -> PreTrainedModel:
        _quantize_modules(model, self.quantization_config)
        return model

    def _process_model_after_weight_loading(self, model: PreTrainedModel, **kwargs: Any) -> PreTrainedModel:
        # buffers that the checkpoint did not have (a float checkpoint, a new head) are allocated but not written
        for module in model.modules():
            children = [child for child in module.children() if isinstance(child, FakeQuantize)]
            if any(not child.is_consistent for child in children):
                reset_ranges(module)
        return model

    def is_serializable(self) -> bool:
        """True: fake quantizers are buffers of the state dict."""
        return True

    @property
    def is_trainable(self) -> bool:
        """True: weights stay float Parameters."""
        return True

    @property
    def is_qat_trainable(self) -> bool:
        """True: this is quantization-aware training."""
        return True


def apply_quantization(model: PreTrainedModel, settings: QuantizationSettings, phase: Phase = "observing") -> None:
    """Quantizes `model` in place and marks it so that `save_pretrained` and `from_pretrained` keep it.

    Parameters stay the same objects under the same names.

    Raises:
        RecipeError: the settings do not fit the model.
        ModelError: the model is quantized already, or its weights are not float32.
    """
    if quantization_of(model) is not None:
        raise ModelError("model", f"{type(model).__name__} is quantized already")
    require_float32(model)
    config = SparsePipelinesConfig(phase=phase, **settings.to_dict())
    quantizer = SparsePipelinesQuantizer(config, pre_quantized=False)
    _quantize_modules(model, config)
    # what from_pretrained sets on a model that it has quantized
    model.hf_quantizer = quantizer
    model.is_quantized = True
    model.quantization_method = QUANT_METHOD
    model.config.quantization_config = config


def require_float32(model: nn.Module) -> None:
    """Refuses a model in half precision: ranges and master weights lose their meaning there.

    Raises:
        ModelError: the weights are not float32.
    """
    dtype = next((parameter.dtype for parameter in model.parameters() if parameter.is_floating_point()), torch.float32)
    if dtype != torch.float32:
        raise ModelError(
            "dtype",
            f"quantization needs float32 weights, and {type(model).__name__} has {dtype}",
            fix="load it with dtype=torch.float32 (bf16 and fp16 training arguments may stay, they use autocast)",
        )


def quantization_of(model: nn.Module) -> SparsePipelinesConfig | None:
    """The quantization that `model` has, or None for a float model."""
    # asked of the model and not of its config, which models made from it share
    quantizer = getattr(model, "hf_quantizer", None)
    return quantizer.quantization_config if isinstance(quantizer, SparsePipelinesQuantizer) else None


def set_phase(model: PreTrainedModel, phase: Phase) -> None:
    """Lets the ranges of a quantized model move in train mode, or freezes them; kept by `save_pretrained`."""
    config = quantization_of(model)
    assert config is not None, "set_phase needs a quantized model"
    config.phase = phase
    set_observing(model, phase == "observing")


def _quantize_modules(model: PreTrainedModel, config: SparsePipelinesConfig) -> None:
    settings = settings_for(model, config.settings)
    targets = quantization_targets(model, settings)
    if config.quantize_attention is None and not settings.quantize_attention:
        logger.warning(
            "quantize_attention: the attention matmuls of %s stay float, because it does not use the "
            "AttentionInterface of transformers",
            type(model).__name__,
        )
    config.quantize_attention = settings.quantize_attention
    for name, reason in targets.kept_float.items():
        logger.info("submodules: %s stays float, because %s", name, reason)
    for name in targets.linears:
        quantize_linear(
            model.get_submodule(name),
            weight_bits=settings.weight_bits,
            quantize_output=settings.quantize_linear_activations,
        )
    for name in targets.embeddings:
        quantize_embedding(model.get_submodule(name))
    quantize_attention(model, targets.attentions)
    use_attention_function(model)
    set_observing(model, config.phase == "observing")
