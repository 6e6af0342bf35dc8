"""A learning rate that is a function of the step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

if TYPE_CHECKING:
    from sparse_core.recipe import Recipe


def sets_learning_rate(recipe: Recipe | None) -> bool:
    """Whether there is a recipe and it sets the learning rate in some epoch."""
    return recipe is not None and recipe.sets_learning_rate


class RecipeScheduler(LRScheduler):
    """Sets the learning rate of every parameter group to a function of the step."""

    def __init__(self, optimizer: Optimizer, learning_rate: Callable[[int], float]) -> None:
        """Schedules `optimizer` by `learning_rate`, a function of the number of steps taken."""
        self._learning_rate = learning_rate
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Learning rate of the next step, for each group."""
        return [self._learning_rate(self.last_epoch)] * len(self.optimizer.param_groups)

    def state_dict(self) -> dict[str, Any]:
        """The counters; the function is made again from the recipe."""
        return {key: value for key, value in super().state_dict().items() if key != "_learning_rate"}
