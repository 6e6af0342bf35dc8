"""Output layers that share their weight with an embedding table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def tied_linears(model: nn.Module) -> dict[str, str]:
    """Linear modules of `model` whose weight is the table of an Embedding: name of the Linear -> of the Embedding.

    Such a weight is treated as a table: it is neither pruned nor quantized as a matrix. Ties are found by identity, and
    by what transformers declares, because `from_pretrained` ties weights only after loading them.
    """
    from torch import nn

    modules = dict(model.named_modules(remove_duplicate=False))
    tables = {id(module.weight): name for name, module in modules.items() if isinstance(module, nn.Embedding)}
    declared: dict[str, str] = getattr(model, "all_tied_weights_keys", {})
    tied = {}
    for name, module in modules.items():
        if not isinstance(module, nn.Linear):
            continue
        table = tables.get(id(module.weight)) or declared.get(f"{name}.weight", "").removesuffix(".weight")
        if isinstance(modules.get(table), nn.Embedding):
            tied[name] = table
    return tied
