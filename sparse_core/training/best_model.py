"""Which checkpoints load_best_model_at_end may choose among."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sparse_core.modifiers.pruning.magnitude import GMPruningModifier

if TYPE_CHECKING:
    import transformers

    from sparse_core.recipe import Recipe

logger = logging.getLogger(__name__)


def first_epoch_that_counts(recipe: Recipe | None, args: transformers.TrainingArguments) -> float:
    """The epoch in or after which the last step of a checkpoint must have begun, that it can be the best; 0: any.

    That is the user's `best_model_after_epoch`, or where the recipe has both pruned and begun to quantize, if that is
    later. A model that is not yet pruned or quantized usually scores best, and is not what the recipe is for; the
    weights of before the quantization cannot even be loaded into a quantized model.
    """
    after = getattr(args, "best_model_after_epoch", None)
    if not args.load_best_model_at_end:
        if after is not None:
            logger.warning("best_model_after_epoch has no effect without load_best_model_at_end")
        return 0.0
    if recipe is None:
        return after or 0.0
    pruned = (modifier.end_epoch for modifier in recipe.of_type(GMPruningModifier))
    return max(after or 0.0, recipe.quantization_start or 0.0, *pruned)


def is_too_early(state: transformers.TrainerState, steps_per_epoch: int, first: float) -> bool:
    """Whether the model as it is cannot be the best.

    Args:
        state: of the training.
        steps_per_epoch: optimizer steps in an epoch; 0: the data has no length.
        first: of `first_epoch_that_counts`.
    """
    epoch = (state.global_step - 1) / steps_per_epoch if steps_per_epoch else state.epoch
    return epoch < first


def warn_of_no_best(args: transformers.TrainingArguments, state: transformers.TrainerState, first: float) -> None:
    """Says that the model is the last one where load_best_model_at_end found none among the checkpoints."""
    if args.load_best_model_at_end and state.best_model_checkpoint is None:
        logger.warning(
            "load_best_model_at_end has no effect: no checkpoint of after epoch %g, the first that can be the best, "
            "has a score; the model is that of the last step",
            first,
        )
