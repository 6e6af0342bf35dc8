"""Which parameters a recipe's `params` name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparse_core.errors import RecipeError, nearest
from sparse_core.modifiers.tied_weights import tied_linears

if TYPE_CHECKING:
    from torch import nn

ALL_PARAMETERS = "__ALL__"
ALL_PRUNABLE_PARAMETERS = "__ALL_PRUNABLE__"
REGEX_PREFIX = "re:"


def prunable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Weights of all Linear and Conv modules, by parameter name, in the order of the modules.

    Embedding tables are left out, and so are output layers that share their weight with one: zeros in a table save no
    arithmetic, and counting them would lower the reported sparsity.
    """
    from torch import nn

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)
    tied = tied_linears(model)
    return {
        f"{name}.weight": module.get_parameter("weight")
        for name, module in model.named_modules()
        if isinstance(module, kinds) and name not in tied
    }


def match_parameters(model: nn.Module, params: str | list[str]) -> dict[str, nn.Parameter]:
    """Parameters of `model` that `params` names, in the model's order.

    Args:
        model: any module.
        params: a name, `re:` and a regular expression that the whole name must match from its start, `__ALL__`,
            `__ALL_PRUNABLE__`, or a list of these.

    Raises:
        RecipeError: an entry matches nothing, or is not a regular expression.
    """
    named = dict(model.named_parameters())
    chosen: set[str] = set()
    for entry in [params] if isinstance(params, str) else params:
        names = _names_matching(entry, model, named)
        if not names:
            raise RecipeError(
                "params",
                f"'{entry}' matches no parameter of {type(model).__name__}, which has names such as "
                + ", ".join(list(prunable_parameters(model))[:3]),
                fix=nearest(entry, named),
            )
        chosen.update(names)
    return {name: parameter for name, parameter in named.items() if name in chosen}


def _names_matching(entry: str, model: nn.Module, named: dict[str, nn.Parameter]) -> list[str]:
    if entry == ALL_PARAMETERS:
        return list(named)
    if entry == ALL_PRUNABLE_PARAMETERS:
        # by identity, not by name: a tied weight has a second name that named_parameters() does not list
        prunable = {id(parameter) for parameter in prunable_parameters(model).values()}
        return [name for name, parameter in named.items() if id(parameter) in prunable]
    if entry.startswith(REGEX_PREFIX):
        try:
            pattern = re.compile(entry.removeprefix(REGEX_PREFIX))
        except re.error as error:
            raise RecipeError("params", f"'{entry}' is not a regular expression: {error}") from None
        return [name for name in named if pattern.match(name)]
    return [entry] if entry in named else []
