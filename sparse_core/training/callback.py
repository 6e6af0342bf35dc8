"""From the Trainer's events to the recipe's modifiers."""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import transformers
from safetensors.torch import load_file, save_file

from sparse_core.errors import ModelError, Setting
from sparse_core.modifiers.base import ActiveModifier, ForwardPass, TrainingContext
from sparse_core.recipe import Recipe, load_recipe
from sparse_core.store import write_json
from sparse_core.training.checkpoints import mark_whole

if TYPE_CHECKING:
    from torch import Tensor, nn

logger = logging.getLogger(__name__)

STATE_FILE = "recipe_state.json"
TENSORS_FILE = "recipe_state.safetensors"
TIMING_SUFFIXES = ("_runtime", "_per_second", "_preparation_time")
"""Ends of the names under which Hugging Face's Trainer mixes its own times into the scores."""
DECAYS = "decays"
"""Key that marks the optimizer's parameter groups to which weight decay applies."""


class RecipeCallback(transformers.TrainerCallback):
    """Runs a recipe's modifiers around every optimizer step, and keeps their state in every checkpoint.

    The epoch of a step is `step / steps_per_epoch`, counted before the step: what a recipe says of epoch 8.0 is in
    force from the first forward pass of the ninth epoch on.
    """

    def __init__(
        self,
        recipe: Recipe,
        make_context: Callable[[nn.Module, int], TrainingContext],
        stop_epoch: float | None = None,
    ) -> None:
        """Prepares to run `recipe`.

        Args:
            recipe: what to run.
            make_context: gives what the modifiers may use, for a model and its number of optimizer steps in an epoch.
            stop_epoch: end the training, with a checkpoint, before the first step of this epoch.
        """
        self._recipe = recipe
        self._make_context = make_context
        self._stop_epoch = stop_epoch
        self._steps_per_epoch = 0
        self._active: dict[str, ActiveModifier] | None = None
        self._is_bound = False  # to the batches, because a checkpoint or a step taken counts epochs in them

    def reset(self) -> None:
        """Forgets an earlier training, so that the next one starts at the recipe's start."""
        self._active, self._is_bound = None, False

    def restore(self, model: nn.Module, checkpoint: Path) -> None:
        """Restores the model's modules and the modifiers' state from `checkpoint`.

        Must run before the checkpoint's weights are loaded.

        Raises:
            ModelError: the checkpoint was made without a recipe, or with another.
        """
        if not (checkpoint / STATE_FILE).is_file():
            raise ModelError(
                "resume_from_checkpoint",
                f"{checkpoint} was made without a recipe",
                fix=("resume without one, or train from its model without ", Setting("resume_from_checkpoint")),
            )
        state = json.loads((checkpoint / STATE_FILE).read_text(encoding="utf-8"))
        if load_recipe(state["recipe"]) != self._recipe:
            raise ModelError(
                "recipe",
                f"{self._recipe.source} differs from the recipe with which {checkpoint} was made",
                fix="resume with that recipe, or train from the model without its checkpoint",
            )
        self._steps_per_epoch = state["steps_per_epoch"]
        self._active, self._is_bound = self._activate(model), True
        tensors = load_file(checkpoint / TENSORS_FILE)
        next_epoch = state["global_step"] / self._steps_per_epoch
        for name, modifier in self._active.items():
            modifier.restore_structure(next_epoch)
            prefix = f"{name}/"
            modifier.load_state({k.removeprefix(prefix): t for k, t in tensors.items() if k.startswith(prefix)})

    def _activate(self, model: nn.Module) -> dict[str, ActiveModifier]:
        self._recipe.require_fit(model)
        training = self._make_context(model, self._steps_per_epoch)
        active = {
            f"{index}.{type(modifier).__name__}": modifier.activate(training)
            for index, modifier in enumerate(self._recipe.modifiers)
        }
        return {name: modifier for name, modifier in active.items() if modifier is not None}

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Activates the modifiers, unless `restore` has done so; ends a training that was resumed at its end.

        Raises:
            ModelError: the checkpoint was made with other batches; or memory ran out after the first step, and Hugging
                Face starts again, in smaller batches, with the weights that the recipe has changed.
        """
        steps_per_epoch = num_steps_per_epoch(len(kwargs["train_dataloader"]), args.gradient_accumulation_steps)
        if not self._is_bound:
            self._steps_per_epoch = steps_per_epoch
            self._active = self._activate(kwargs["model"])
            self._warn_of_a_recipe_cut_short(args)
        elif state.global_step == 0:
            raise ModelError(
                "auto_find_batch_size",
                "memory ran out after the recipe had changed weights, so the training cannot start again",
                fix=("set ", Setting("per_device_train_batch_size"), f" to {state.train_batch_size}"),
            )
        elif steps_per_epoch != self._steps_per_epoch:
            raise ModelError(
                "resume_from_checkpoint",
                f"the checkpoint has {self._steps_per_epoch} steps in an epoch, and this run has {steps_per_epoch}",
                fix=(
                    "use the same data, ",
                    Setting("per_device_train_batch_size"),
                    " and ",
                    Setting("gradient_accumulation_steps"),
                ),
            )
        if self._is_stop(state) or state.global_step >= state.max_steps:
            control.should_training_stop = True

    def _warn_of_a_recipe_cut_short(self, args: Any) -> None:
        last_epoch = args.max_steps / self._steps_per_epoch
        if args.max_steps > 0 and last_epoch < self._recipe.num_epochs:
            logger.warning(
                "max_steps: %d steps end the training at epoch %.4g, and the recipe's last epoch is %g, so what the "
                "recipe does from there on is left out; leave out max_steps to follow it to its end",
                args.max_steps,
                last_epoch,
                self._recipe.num_epochs,
            )

    def _is_stop(self, state: Any) -> bool:
        return self._stop_epoch is not None and state.global_step / self._steps_per_epoch >= self._stop_epoch

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lets each modifier act before the forward pass, and sets the weight decay in force."""
        epoch = state.global_step / self._steps_per_epoch
        for modifier in (self._active or {}).values():
            modifier.before_step(epoch)
        if self._recipe.sets_weight_decay:
            weight_decay = self._recipe.weight_decay_at(epoch)
            for group in kwargs["optimizer"].param_groups:
                if group.get(DECAYS):
                    group["weight_decay"] = args.weight_decay if weight_decay is None else weight_decay

    def loss(self, loss: Tensor, forward: ForwardPass) -> Tensor:
        """The loss to train on, from the task's: each modifier may change it, in the order of the recipe."""
        for modifier in (self._active or {}).values():
            loss = modifier.loss(loss, forward)
        return loss

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lets each modifier see or change the gradients."""
        for modifier in (self._active or {}).values():
            modifier.after_backward(state.global_step / self._steps_per_epoch)

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lets each modifier act on the weights that the optimizer has just changed."""
        self._is_bound = True
        for modifier in (self._active or {}).values():
            modifier.after_step(state.global_step / self._steps_per_epoch)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Lets each modifier act at the end of an epoch; stops at stop_epoch, with a checkpoint."""
        # here and not in on_epoch_end, which runs after the checkpoint and also in the middle of an epoch
        if state.global_step % self._steps_per_epoch == 0:
            for modifier in (self._active or {}).values():
                modifier.end_epoch(state.global_step / self._steps_per_epoch)
        if self._is_stop(state):
            control.should_training_stop = True
            control.should_save = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Adds the modifiers' state to the checkpoint just written, then declares it whole."""
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        tensors: dict[str, Tensor] = {
            f"{name}/{key}": tensor.cpu().contiguous()
            for name, modifier in (self._active or {}).items()
            for key, tensor in modifier.state().items()
        }
        save_file(tensors, checkpoint / TENSORS_FILE)
        write_json(
            checkpoint / STATE_FILE,
            {
                "global_step": state.global_step,
                "steps_per_epoch": self._steps_per_epoch,
                "recipe": self._recipe.to_yaml(),
            },
        )
        mark_whole(checkpoint)


class WholeCheckpointCallback(transformers.TrainerCallback):
    """Marks the checkpoints of a training without a recipe as whole; RecipeCallback does so with a recipe."""

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ends a training that was resumed at its end, if max_steps is within an epoch."""
        if state.global_step >= state.max_steps:
            control.should_training_stop = True

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Marks the checkpoint after its last file was written."""
        mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}")


class CollatorCallback(transformers.TrainerCallback):
    """Tells a collator that masks a row anew in each epoch, by its `set_epoch`, which epoch it is."""

    def __init__(self, collator: Any) -> None:
        """Tells `collator`, if it has such a method."""
        self._collator = collator

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Sets the epoch before the loader makes its first batch; a resumed training starts within an epoch."""
        if hasattr(self._collator, "set_epoch"):
            seed = args.data_seed if args.data_seed is not None else args.seed
            self._collator.set_epoch(int(state.epoch or 0.0), seed)


class ProgressCallback(transformers.TrainerCallback):
    """Logs a line of progress every few seconds: epoch, loss, learning rate, time left."""

    def __init__(self, stop_epoch: float | None = None, seconds_between_lines: float = 5.0) -> None:
        """Logs at most one line in `seconds_between_lines`, of a training that ends at `stop_epoch`, or at its end."""
        self._stop_epoch = stop_epoch
        self._interval = seconds_between_lines
        self._start_time = self._last_time = 0.0
        self._start_step = self._last_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Starts the clock."""
        self._start_time = self._last_time = time.monotonic()
        self._start_step = state.global_step
        share = 1.0 if self._stop_epoch is None else min(self._stop_epoch / args.num_train_epochs, 1.0)
        self._last_step = math.ceil(share * state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Logs when the interval has passed."""
        now = time.monotonic()
        if now - self._last_time < self._interval:
            return
        self._last_time = now
        per_step = (now - self._start_time) / (state.global_step - self._start_step)
        latest: dict[str, float] = next((entry for entry in reversed(state.log_history) if "loss" in entry), {})
        loss = f", loss {latest['loss']:.4f}, learning rate {latest['learning_rate']:.2e}" if latest else ""
        logger.info(
            "epoch %.2f of %g, step %d of %d%s, about %d s left",
            state.epoch or 0.0,
            self._stop_epoch or args.num_train_epochs,
            state.global_step,
            self._last_step,
            loss,
            per_step * max(self._last_step - state.global_step, 0),
        )

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any) -> None:
        """Logs the scores."""
        scores = ", ".join(
            f"{name.removeprefix('eval_')} {value if isinstance(value, int) else f'{value:.4f}'}"
            for name, value in metrics.items()
            if name.startswith("eval_") and not name.endswith(TIMING_SUFFIXES)
        )
        logger.info("epoch %.2f: validation %s", state.epoch or 0.0, scores)


def num_steps_per_epoch(num_batches: int, gradient_accumulation_steps: int) -> int:
    """Optimizer steps in one epoch; the last may have fewer batches."""
    return max(-(-num_batches // gradient_accumulation_steps), 1)
