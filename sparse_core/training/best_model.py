"""Which checkpoints load_best_model_at_end may choose among."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import transformers

    from sparse_core.recipe import Recipe

logger = logging.getLogger(__name__)


def first_epoch_that_counts(recipe: Recipe | None, args: transformers.TrainingArguments) -> float:
    """The epoch from which a checkpoint can be the best one; 0: every checkpoint can.

    It is the user's `best_model_after_epoch`, or the epoch from which the recipe's modifiers count the model as
    finished, if that is later. A model that is not yet pruned or quantized usually scores best and is not what the
    recipe is for; weights from before quantization cannot even be loaded into a quantized model.
    """
    after = getattr(args, "best_model_after_epoch", None)
    if not args.load_best_model_at_end:
        if after is not None:
            logger.warning("best_model_after_epoch has no effect without load_best_model_at_end")
        return 0.0
    if recipe is None:
        return after or 0.0
    return max(after or 0.0, recipe.finished_at)


def is_too_early(state: transformers.TrainerState, steps_per_epoch: int, first: float) -> bool:
    """Whether the model's last step is before the first epoch that counts.

    Args:
        state: of the training.
        steps_per_epoch: optimizer steps in an epoch; 0: the data has no length.
        first: of `first_epoch_that_counts`.
    """
    epoch = (state.global_step - 1) / steps_per_epoch if steps_per_epoch else state.epoch
    return epoch < first


def warn_of_no_best(args: transformers.TrainingArguments, state: transformers.TrainerState, first: float) -> None:
    """Warns that load_best_model_at_end found no checkpoint, so that the model is that of the last step."""
    if args.load_best_model_at_end and state.best_model_checkpoint is None:
        logger.warning(
            "load_best_model_at_end has no effect: no checkpoint after epoch %g has a score, and "
            "earlier ones do not count; the model is that of the last step",
            first,
        )
