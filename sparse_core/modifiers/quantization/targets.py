"""Which modules of a model the quantization settings name."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from sparse_core.errors import RecipeError, did_you_mean
from sparse_core.modifiers.quantization.attention import attention_modules, require_attention_interface
from sparse_core.modifiers.quantization.modules import QuantEmbedding, QuantLinear
from sparse_core.modifiers.quantization.settings import QuantizationSettings

logger = logging.getLogger(__name__)

HEAD_ROLE = "classifier"
# What other architectures call the part of the base model that a recipe names by the key.
_ROLE_NAMES = {
    "embeddings": ("embeddings",),
    "encoder": ("encoder", "transformer", "layers", "layer", "h"),
    "pooler": ("pooler",),
}
# Exact classes only: a subclass has a forward of its own, which a change of class would lose.
_LINEAR_CLASSES = (nn.Linear, QuantLinear)
_EMBEDDING_CLASSES = (nn.Embedding, QuantEmbedding)


@dataclass(frozen=True)
class QuantizationTargets:
    """Names of the modules to quantize, each in the order of the model's modules."""

    linears: list[str]
    embeddings: list[str]
    attentions: list[str]


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
    targets = QuantizationTargets(
        linears=[name for name, module in modules.items() if type(module) in _LINEAR_CLASSES],
        embeddings=[
            name
            for name, module in modules.items()
            if settings.quantize_embeddings and type(module) in _EMBEDDING_CLASSES
        ],
        attentions=[name for name in attention_modules(model) if settings.quantize_attention and name in modules],
    )
    if not (targets.linears or targets.embeddings or targets.attentions):
        raise RecipeError(
            f"QuantizationModifier: nothing of {type(model).__name__} would be quantized with submodules "
            f"{_listed(settings.submodules)} and exclude_module_types {_listed(settings.exclude_module_types)}; "
            f"the model has {', '.join(_parts(model))}"
        )
    return targets


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
                f"exclude_module_types: '{name}' is neither a module class of {type(model).__name__}, which has "
                f"{', '.join(sorted(present))}, nor one of torch.nn{did_you_mean(name, present)}"
            )


def resolve_submodules(model: nn.Module, names: tuple[str, ...]) -> list[str]:
    """Module names in `model` for the submodules that a recipe names, without repetition.

    A name that the model has is taken as it is. A part named after another architecture (`bert.encoder` on a
    RoBERTa) is taken by its role; a pooler that the model does not have is left out with a line in the log.

    Raises:
        RecipeError: a name has no counterpart in the model.
    """
    present = dict(model.named_modules())
    resolved: list[str] = []
    for name in names:
        found = [name] if name in present else _by_role(model, name)
        if found is None:
            parts = _parts(model)
            raise RecipeError(
                f"submodules: '{name}' is not a module of {type(model).__name__}, which has {', '.join(parts)}"
                f"{did_you_mean(name, parts)}"
            )
        resolved.extend(found)
    return list(dict.fromkeys(resolved))


def _by_role(model: nn.Module, name: str) -> list[str] | None:
    """Names of the parts of `model` that play the role which `name` has elsewhere; None when it names no role."""
    base_name, base = _base_model(model)
    if name == HEAD_ROLE:
        head = [child for child, _ in model.named_children() if child != base_name]
        return head if base is not model and head else None
    prefix, _, role = name.rpartition(".")
    if role not in _ROLE_NAMES or "." in prefix:
        return None
    children = dict(base.named_children())
    found = next((child for child in _ROLE_NAMES[role] if child in children), None)
    if found is not None:
        return [f"{base_name}.{found}" if base_name else found]
    if role == "pooler":
        logger.info("submodules: %s has no pooler, so '%s' quantizes nothing", type(model).__name__, name)
        return []
    return None


def _base_model(model: nn.Module) -> tuple[str, nn.Module]:
    """Name and module of the model without its head; an empty name when `model` has none."""
    prefix = getattr(model, "base_model_prefix", "")
    base = getattr(model, prefix, None) if prefix else None
    return (prefix, base) if isinstance(base, nn.Module) else ("", model)


def _parts(model: nn.Module) -> list[str]:
    """Names that a recipe may give as submodules: the children of the base model, and those of the head."""
    base_name, base = _base_model(model)
    prefix = f"{base_name}." if base_name else ""
    inner = [f"{prefix}{name}" for name, _ in base.named_children()]
    head = [name for name, _ in model.named_children() if name != base_name] if base is not model else []
    return inner + head
