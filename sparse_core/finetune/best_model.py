"""Which checkpoints --load_best_model_at_end may choose among."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transformers

if TYPE_CHECKING:
    from sparse_core.recipe import Recipe


class BestModelAfterEpoch(transformers.TrainerCallback):
    """Forgets the best checkpoint while it is of an epoch that cannot count.

    A model that is not yet pruned or quantized usually scores best, and is not what the recipe is for.
    """

    def __init__(self, epoch: float) -> None:
        """Only checkpoints of more than `epoch` epochs can be the best."""
        self._epoch = epoch

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Before the steps that follow an evaluation."""
        self._forget(args, state)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After the last step too."""
        self._forget(args, state)

    def _forget(self, args: Any, state: Any) -> None:
        if state.best_global_step and state.best_global_step * args.num_train_epochs / state.max_steps <= self._epoch:
            state.best_metric = state.best_global_step = state.best_model_checkpoint = None


def first_epoch_that_counts(recipe: Recipe | None, best_model_after_epoch: float | None) -> float:
    """The epoch after which a checkpoint is what the recipe makes: the user's, or where its quantization begins.

    Weights from before cannot be loaded into a quantized model.
    """
    quantized = recipe.quantization_start if recipe is not None else None
    return max(best_model_after_epoch or 0.0, quantized or 0.0)
