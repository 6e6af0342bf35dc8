"""Attention whose two matmuls take fake-quantized operands, for every model that uses transformers' AttentionInterface.

No model code is replaced. The attention function is registered under a name, and the model is told to use it.
transformers passes the attention module to the function, and the fake quantizers are a child of this module.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import eager_mask

from sparse_core.errors import ModelError, RecipeError
from sparse_core.modifiers.quantization.observers import FakeQuantize, activation_fake_quantize

ATTENTION_NAME = "sparse_core.modifiers.quantization.hf_quantizer"
"""Name of the attention function. It is the module to import, because transformers quotes it where it is unknown."""
CHILD_NAME = "attention_fake_quant"

# arguments that change the scores in ways that this attention does not compute; a model that passes one is refused
_UNSUPPORTED_ARGUMENTS = ("softcap", "s_aux", "position_bias", "head_mask")


class AttentionFakeQuant(nn.Module):
    """Fake quantizers of the operands of scores = query @ key^T and output = probs @ value."""

    def __init__(self) -> None:
        """Starts with empty ranges."""
        super().__init__()
        self.query: FakeQuantize = activation_fake_quantize()
        self.key: FakeQuantize = activation_fake_quantize()
        self.probs: FakeQuantize = activation_fake_quantize()
        self.value: FakeQuantize = activation_fake_quantize()


def attention_modules(model: nn.Module) -> dict[str, nn.Module]:
    """The modules of `model` that look their attention function up by name, by module name."""
    return {name: module for name, module in model.named_modules() if _uses_attention_interface(type(module))}


def _uses_attention_interface(module_class: type[nn.Module]) -> bool:
    forward = inspect.unwrap(module_class.forward)
    return "ALL_ATTENTION_FUNCTIONS" in getattr(getattr(forward, "__code__", None), "co_names", ())


def quantize_attention(model: PreTrainedModel, names: list[str]) -> None:
    """Gives the attention modules `names` of `model` fake quantizers.

    They take effect once the model uses the attention function; see `use_attention_function`.
    """
    for name in names:
        module = model.get_submodule(name)
        device = next(module.parameters()).device
        module.add_module(CHILD_NAME, AttentionFakeQuant().to(device).train(module.training))


def use_attention_function(model: PreTrainedModel) -> None:
    """Makes `model` call `quantized_attention`, which is plain attention in modules without fake quantizers.

    The name also goes into config.json, so that a transformers without this package refuses the checkpoint instead of
    running it as a float model. A model without the AttentionInterface is left alone: its code may choose the attention
    from a fixed list of names.
    """
    if not attention_modules(model):
        return
    model.set_attn_implementation(ATTENTION_NAME)
    model.config.attn_implementation = ATTENTION_NAME


def require_attention_interface(model: nn.Module) -> None:
    """Refuses a model whose attention matmuls cannot be quantized.

    Raises:
        RecipeError: no module of `model` uses transformers' AttentionInterface.
    """
    if not attention_modules(model):
        raise RecipeError(
            "quantize_attention",
            f"{type(model).__name__} does not use the AttentionInterface of transformers, so its attention matmuls "
            "cannot be quantized",
            fix="set it to false",
        )


def quantized_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """Scaled dot-product attention over fake-quantized operands.

    Args:
        module: the attention module; its child `attention_fake_quant`, if any, has the fake quantizers.
        query: (batch, heads, query_len, head_dim).
        key: (batch, key_heads, key_len, head_dim); key_heads divides heads.
        value: shape of `key`.
        attention_mask: added to the scores, (batch or 1, 1 or heads, query_len, key_len).
        scaling: factor of the scores; None: head_dim ** -0.5.
        dropout: probability of dropping an attention probability in train mode.
        kwargs: other arguments of the model.

    Returns:
        Output (batch, query_len, heads, head_dim) and probabilities (batch, heads, query_len, key_len).

    Raises:
        ModelError: the model asks for a kind of attention that this function does not compute.
    """
    unsupported = [name for name in _UNSUPPORTED_ARGUMENTS if kwargs.get(name) is not None]
    if unsupported:
        raise ModelError(
            "quantize_attention",
            f"{type(module).__name__} passes {', '.join(unsupported)}, which the quantized attention does not support",
            fix="set it to false",
        )
    fake_quant: AttentionFakeQuant | None = getattr(module, CHILD_NAME, None)
    if fake_quant is not None:
        query, key, value = fake_quant.query(query), fake_quant.key(key), fake_quant.value(value)
    if key.shape[1] != query.shape[1]:
        groups = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(groups, dim=1), value.repeat_interleave(groups, dim=1)
    scores = torch.matmul(query, key.transpose(2, 3)) * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    if attention_mask is not None:
        scores = scores + attention_mask
    probs = nn.functional.softmax(scores, dim=-1)
    if fake_quant is not None:
        # before the dropout: its factor 1 / (1 - p) would stretch the range to values that inference never has
        probs = fake_quant.probs(probs)
    dropped = nn.functional.dropout(probs, p=dropout, training=module.training)
    output = torch.matmul(dropped, value)
    return output.transpose(1, 2).contiguous(), probs


AttentionInterface.register(ATTENTION_NAME, quantized_attention)
AttentionMaskInterface.register(ATTENTION_NAME, eager_mask)
