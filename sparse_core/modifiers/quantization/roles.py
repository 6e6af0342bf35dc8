"""Finds the parts of a model by the names that they have in other architectures."""

from __future__ import annotations

import logging

from torch import nn

from sparse_core.errors import RecipeError, listed, nearest

logger = logging.getLogger(__name__)

# names of the parts of a base model in several architectures; each stands for the others in its tuple
_EMBEDDINGS = ("embeddings", "embeddings_project")
_ENCODER = ("encoder", "transformer", "layers")
# the dense layer between the encoder and the classifier, in the base model or in the head
_POOLERS = ("pooler", "pre_classifier", "head")
# names of heads; one that the model lacks stands for everything outside its base model
_HEADS = ("classifier", "qa_outputs", "cls", "lm_head", "predictions", "generator_predictions")


def resolve_submodules(model: nn.Module, names: tuple[str, ...]) -> list[str]:
    """Module names in `model` for the submodules that a recipe names, without repetition.

    A name of one of the model's modules stays. A name from another architecture (`bert.encoder` on a RoBERTa) means the
    part with the same role. A pooler that the model lacks is left out with a line in the log.

    Raises:
        RecipeError: a name has no counterpart in the model.
    """
    present = dict(model.named_modules())
    resolved: list[str] = []
    for name in names:
        matches = [name] if name in present else _by_role(model, name)
        if matches is None:
            parts = parts_of(model)
            raise RecipeError(
                "submodules",
                f"'{name}' is not a module of {type(model).__name__}, which has {listed(parts)}",
                fix=nearest(name, parts),
            )
        resolved.extend(matches)
    return list(dict.fromkeys(resolved))


def parts_of(model: nn.Module) -> list[str]:
    """Names that a recipe may give as submodules: the children of the base model, and those of the head."""
    return [*_base_parts(model).values(), *_head_parts(model)]


def _by_role(model: nn.Module, name: str) -> list[str] | None:
    """Names of the parts of `model` with the role that `name` has elsewhere; None when it has no role."""
    prefix, _, last = name.rpartition(".")
    base, head = _base_parts(model), _head_parts(model)
    if "." in prefix:
        return None
    for role in (_EMBEDDINGS, _ENCODER):
        if last in role:
            return [base[child] for child in role if child in base] or None
    if last == "pooler":
        poolers = [part for child, part in {**base, **{child: child for child in head}}.items() if child in _POOLERS]
        if not poolers:
            logger.info("submodules: %s has no pooler, so '%s' quantizes nothing", type(model).__name__, name)
        return poolers
    return head or None if name in _HEADS else None


def _base_parts(model: nn.Module) -> dict[str, str]:
    """Names of the children of the base model, and their names in `model`."""
    name, base = _base_model(model)
    return {child: f"{name}.{child}" if name else child for child, _ in base.named_children()}


def _head_parts(model: nn.Module) -> list[str]:
    """Names of the children of `model` outside its base model."""
    name, base = _base_model(model)
    return [] if base is model else [child for child, _ in model.named_children() if child != name]


def _base_model(model: nn.Module) -> tuple[str, nn.Module]:
    """Name and module of the model without its head; an empty name when `model` has none."""
    prefix = getattr(model, "base_model_prefix", "")
    base = getattr(model, prefix, None) if prefix else None
    return (prefix, base) if isinstance(base, nn.Module) else ("", model)
