"""Which modules of a model are quantized by which settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from sparse_core.errors import RecipeError, listed, nearest
from sparse_core.modifiers.quantization.attention import attention_modules, require_attention_interface
from sparse_core.modifiers.quantization.modules import QuantEmbedding, QuantLinear
from sparse_core.modifiers.quantization.roles import parts_of, resolve_submodules
from sparse_core.modifiers.quantization.settings import QuantizationSettings
from sparse_core.modifiers.tied_weights import tied_linears

# exact classes only: a subclass has its own forward, which would be lost with its class
_LINEAR_CLASSES = (nn.Linear, QuantLinear)
_EMBEDDING_CLASSES = (nn.Embedding, QuantEmbedding)
# tables of relative positions: the last part of their name -> why they stay float
_FLOAT_TABLES = {
    "relative_attention_bias": "its few numbers are added to the attention scores as a bias",
    "rel_embeddings": "the attention multiplies with the whole table and looks up none of its rows",
}


@dataclass(frozen=True)
class QuantizationTargets:
    """Names of the modules to quantize, each in the order of the model's modules."""

    linears: list[str]
    embeddings: list[str]
    attentions: list[str]
    kept_float: dict[str, str]
    """Linears and embeddings that the settings select but that stay float -> the reason."""


def settings_for(model: nn.Module, settings: QuantizationSettings) -> QuantizationSettings:
    """`settings` with `quantize_attention` decided for `model` where it is unset."""
    if settings.quantize_attention is not None:
        return settings
    return dataclasses.replace(settings, quantize_attention=bool(attention_modules(model)))


def quantization_targets(model: nn.Module, settings: QuantizationSettings) -> QuantizationTargets:
    """The modules of `model` that `settings` quantizes.

    Raises:
        RecipeError: a submodule or module type is not one of the model's, the attention cannot be quantized, or
            nothing is left to quantize.
    """
    _require_known_types(model, settings.exclude_module_types)
    roots = [""] if settings.submodules is None else resolve_submodules(model, settings.submodules)
    modules = {
        name: module
        for name, module in _without_types(model, settings.exclude_module_types)
        if any(not root or name == root or name.startswith(f"{root}.") for root in roots)
    }
    if settings.quantize_attention:
        require_attention_interface(model)
    linears = [name for name, module in modules.items() if type(module) in _LINEAR_CLASSES]
    embeddings = [
        name for name, module in modules.items() if settings.quantize_embeddings and type(module) in _EMBEDDING_CLASSES
    ]
    attentions = [name for name in attention_modules(model) if settings.quantize_attention is not False]
    kept_float = _kept_float(model, linears, embeddings)
    targets = QuantizationTargets(
        linears=[name for name in linears if name not in kept_float],
        embeddings=[name for name in embeddings if name not in kept_float],
        attentions=[name for name in attentions if name in modules],
        kept_float=kept_float,
    )
    if not (targets.linears or targets.embeddings or targets.attentions):
        raise RecipeError(
            "submodules",
            f"nothing of {type(model).__name__} would be quantized with submodules {_listed(settings.submodules)} and "
            f"exclude_module_types {_listed(settings.exclude_module_types)}; the model has {listed(parts_of(model))}",
        )
    return targets


def _kept_float(model: nn.Module, linears: list[str], embeddings: list[str]) -> dict[str, str]:
    """Those of `linears` and `embeddings` that must not be quantized, and why."""
    tied = tied_linears(model)
    reasons = {name: f"its weight is the table of {tied[name]}" for name in linears if name in tied}
    tables = {name: _FLOAT_TABLES.get(name.rpartition(".")[2]) for name in embeddings}
    return {**reasons, **{name: reason for name, reason in tables.items() if reason is not None}}


def _listed(names: tuple[str, ...] | None) -> str:
    return "unset" if not names else f"[{', '.join(names)}]"


def _without_types(model: nn.Module, excluded: tuple[str, ...], name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """The modules of `model` with their names, without those of the excluded classes and what is inside them."""
    if type(model).__name__ in excluded:
        return
    yield name, model
    for child_name, child in model.named_children():
        yield from _without_types(child, excluded, f"{name}.{child_name}" if name else child_name)


def _require_known_types(model: nn.Module, excluded: tuple[str, ...]) -> None:
    present = {type(module).__name__ for module in model.modules()}
    for name in excluded:
        if name not in present and not hasattr(nn, name):
            raise RecipeError(
                "exclude_module_types",
                f"'{name}' is neither a module class of {type(model).__name__}, which has {listed(sorted(present))}, "
                "nor one of torch.nn",
                fix=nearest(name, present),
            )
