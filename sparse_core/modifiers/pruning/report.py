"""How sparse a model is: per layer, for its encoder, and as a whole."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from sparse_core.modifiers.pruning.parameters import prunable_parameters


@dataclass(frozen=True)
class SparsityReport:
    """Fractions of exact zeros, 0 to 1."""

    layers: dict[str, float]
    """Per prunable weight, by parameter name."""
    by_kind: dict[str, float]
    """Per kind of layer: the weights that have the same place in every encoder layer, taken together."""
    encoder: float
    """Prunable weights inside the repeated layers of the base model."""
    model: float
    """All parameters of the model, embeddings, biases and head among them."""


def sparsity_report(model: nn.Module) -> SparsityReport:
    """Counts the zeros of every prunable weight of `model`.

    A weight belongs to the encoder when its name has a layer number, as in `bert.encoder.layer.3.output.dense.weight`.
    """
    prunable = prunable_parameters(model)
    layers = {name: _Count.of(weight) for name, weight in prunable.items()}
    kinds: dict[str, _Count] = {}
    encoder = _Count()
    for name, count in layers.items():
        number = next((part for part in name.split(".") if part.isdigit()), None)
        kind = name if number is None else name.split(f".{number}.", 1)[1]
        kinds[kind] = kinds.get(kind, _Count()) + count
        if number is not None:
            encoder += count
    whole = sum((_Count.of(parameter) for parameter in model.parameters()), _Count())
    return SparsityReport(
        layers={name: count.sparsity for name, count in layers.items()},
        by_kind={kind: count.sparsity for kind, count in kinds.items()},
        encoder=encoder.sparsity,
        model=whole.sparsity,
    )


@dataclass(frozen=True)
class _Count:
    zeros: int = 0
    total: int = 0

    @classmethod
    def of(cls, weight: nn.Parameter) -> _Count:
        return cls(weight.numel() - int(weight.detach().count_nonzero()), weight.numel())

    def __add__(self, other: _Count) -> _Count:
        return _Count(self.zeros + other.zeros, self.total + other.total)

    @property
    def sparsity(self) -> float:
        return self.zeros / self.total if self.total else 0.0
