"""Hugging Face's Trainer with a recipe and a teacher."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Sampler

from sparse_core.errors import ModelError
from sparse_core.modifiers.distillation.losses import IGNORE_INDEX, kl_divergence, valid_positions
from sparse_core.modifiers.distillation.modifier import DistillationModifier
from sparse_core.modifiers.distillation.teacher import TEACHER_PREFIX, with_teacher_outputs
from sparse_core.recipe import Recipe, load_recipe
from sparse_core.training.callback import DECAYS, RecipeCallback, num_steps_per_epoch
from sparse_core.training.checkpoints import discard_cut_short, last_whole_checkpoint, require_whole
from sparse_core.training.sampler import LengthGroupedSampler

logger = logging.getLogger(__name__)

NO_TEACHER = "disable"
_DEFAULT_OUTPUT_KEYS = ("logits",)


class Trainer(transformers.Trainer):
    """Trains as Hugging Face's Trainer does, by a recipe.

    The recipe decides the number of epochs and, where it has such modifiers, learning rate and weight decay. During
    training the loss is the recipe's (task loss and distillation); `eval_loss` is the task loss always.

    Gradient accumulation: the loss of each micro-batch is weighted by its share of the labels of the whole step, so
    that 4 batches of 8 give the gradient of 1 batch of 32.
    """

    # the base class sets these; its module is not followed by the type checker
    train_dataset: Any
    lr_scheduler: Any
    _signature_columns: Any

    def __init__(
        self,
        model: nn.Module | None = None,
        args: transformers.TrainingArguments | None = None,
        *,
        recipe: Recipe | str | Path | None = None,
        recipe_args: dict[str, Any] | str | None = None,
        distill_teacher: nn.Module | str | Path | None = None,
        stop_epoch: float | None = None,
        **kwargs: Any,
    ) -> None:
        """Makes a trainer; all other arguments are Hugging Face's.

        Args:
            model: the model to train.
            args: Hugging Face TrainingArguments; `num_train_epochs` follows the recipe unless `max_steps` is set.
            recipe: a Recipe, the name of a built-in, a path, or YAML text; None trains plainly.
            recipe_args: values for the recipe's root variables, dict or JSON text.
            distill_teacher: the teacher or its directory; "disable" trains a distillation recipe without one.
            stop_epoch: end the training, with a checkpoint, before the first step of this epoch.
            kwargs: Hugging Face Trainer's arguments.

        Raises:
            RecipeError: the recipe cannot be read, or does not fit the model.
            ModelError: the recipe distils and there is no teacher.
        """
        self.recipe = recipe if isinstance(recipe, Recipe) or recipe is None else load_recipe(recipe, recipe_args)
        args = copy.copy(args) if args is not None else None
        if args is not None and self.recipe is not None and args.max_steps <= 0:
            args.num_train_epochs = self.recipe.num_epochs
        if args is not None and args.save_total_limit == 1:
            # the newest checkpoint is not whole yet when Hugging Face deletes the one before it
            args.save_total_limit = 2
        super().__init__(model=model, args=args, **kwargs)
        # the loss is scaled here; the models' own scaling is wrong in some heads (huggingface/transformers#47688)
        self.model_accepts_loss_kwargs = True
        self._recipe_callback: RecipeCallback | None = None
        if self.recipe is not None:
            for warning in self.recipe.warnings:
                logger.warning("%s", warning)
            self._recipe_callback = RecipeCallback(self.recipe, stop_epoch)
            self.add_callback(self._recipe_callback)
        self._distillation = self.recipe.of_type(DistillationModifier) if self.recipe is not None else ()
        self._teacher = self._resolve_teacher(distill_teacher)
        self._steps_per_epoch = 0

    def _resolve_teacher(self, teacher: nn.Module | str | Path | None) -> nn.Module | None:
        if not self._distillation:
            return None
        if teacher is None:
            raise ModelError(
                "distill_teacher: not set, but the recipe has a DistillationModifier; name a teacher, or write "
                f"'{NO_TEACHER}' to train without one"
            )
        if isinstance(teacher, nn.Module):
            return teacher
        if str(teacher) == NO_TEACHER:
            logger.warning("distill_teacher: disable; the recipe's DistillationModifier has no effect")
            self._distillation = ()
            return None
        return type(self.model).from_pretrained(teacher, dtype=torch.float32)

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """Trains; `resume_from_checkpoint=True` goes on from the last whole checkpoint in output_dir, if there is one.

        Raises:
            ModelError: the checkpoint is cut short, or belongs to another recipe.
        """
        output_dir = Path(self.args.output_dir)
        discard_cut_short(output_dir)
        if resume_from_checkpoint is True:
            checkpoint = last_whole_checkpoint(output_dir)
        else:
            checkpoint = Path(resume_from_checkpoint) if resume_from_checkpoint else None
        if checkpoint is not None and self._recipe_callback is not None:
            require_whole(checkpoint)
            self._recipe_callback.restore(self.model, checkpoint)
        if self._distillation and self._teacher is not None:
            self.train_dataset = self._with_teacher_outputs(self.train_dataset, self._teacher)
            self._teacher = None
        return super().train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint), **kwargs)

    def _output_keys(self) -> tuple[str, ...]:
        keys = dict.fromkeys(key for m in self._distillation for key in m.distill_output_keys or _DEFAULT_OUTPUT_KEYS)
        return tuple(keys)

    def _with_teacher_outputs(self, dataset: Any, teacher: nn.Module) -> Any:
        self._set_signature_columns_if_needed()
        return with_teacher_outputs(
            dataset,
            [column for column in dataset.column_names if column in self._signature_columns],
            teacher,
            self.data_collator,
            self._output_keys(),
            self.args.eval_batch_size,
            self.args.device,
        )

    # --- what Hugging Face's Trainer asks for -----------------------------------------------------------------------

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        teacher_columns = [TEACHER_PREFIX + key for key in self._output_keys()]
        self._signature_columns = list(dict.fromkeys([*self._signature_columns, *teacher_columns]))

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != "group_by_length" or not hasattr(dataset, "column_names"):
            return super()._get_train_sampler(train_dataset)
        name = self.args.length_column_name
        lengths = self.train_dataset[name][:] if name in self.train_dataset.column_names else None
        seed = self.args.data_seed if self.args.data_seed is not None else self.args.seed
        return LengthGroupedSampler(
            lengths if lengths is not None else [len(ids) for ids in dataset["input_ids"]],
            self.args.train_batch_size * self.args.gradient_accumulation_steps,
            seed,
        )

    def get_train_dataloader(self) -> DataLoader:
        """Hugging Face's loader; notes how many optimizer steps make an epoch."""
        dataloader = super().get_train_dataloader()
        self._steps_per_epoch = num_steps_per_epoch(len(dataloader), self.args.gradient_accumulation_steps)
        return dataloader

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Hugging Face's optimizer, its groups marked by whether weight decay applies to them."""
        optimizer = super().create_optimizer() if model is None else super().create_optimizer(model)
        decaying = set(self.get_decay_parameter_names(self.model))
        by_id = {id(parameter): name for name, parameter in self.model.named_parameters()}
        for group in optimizer.param_groups:
            group[DECAYS] = any(by_id.get(id(parameter)) in decaying for parameter in group["params"])
        return optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LRScheduler:
        """The recipe's learning rate where it has one, else Hugging Face's scheduler."""
        if self.recipe is None or all(m.learning_rate_at(m.begins_at) is None for m in self.recipe.modifiers):
            return super().create_scheduler(num_training_steps, optimizer)
        if self.lr_scheduler is None:
            recipe, steps, default = self.recipe, self._steps_per_epoch, self.args.learning_rate

            def learning_rate(step: int) -> float:
                value = recipe.learning_rate_at(step / steps)
                return default if value is None else value

            self.lr_scheduler = RecipeScheduler(self.optimizer if optimizer is None else optimizer, learning_rate)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, Any]:
        """Task loss, mixed with distillation while training.

        Args:
            model: the student.
            inputs: a batch; may hold `teacher_<key>`, (batch, ...) float.
            return_outputs: give the model's outputs too.
            num_items_in_batch: number of labels in all micro-batches of this optimizer step.
        """
        teacher_outputs = {k.removeprefix(TEACHER_PREFIX): v for k, v in inputs.items() if k.startswith(TEACHER_PREFIX)}
        inputs = {k: v for k, v in inputs.items() if not k.startswith(TEACHER_PREFIX)}
        labels = inputs.get("labels")
        # without the count the parent gives the plain mean over this batch
        loss, outputs = super().compute_loss(model, dict(inputs), return_outputs=True)
        if model.training:
            loss = self._distilled(loss, outputs, teacher_outputs, labels, inputs.get("attention_mask"))
            if num_items_in_batch is not None and labels is not None:
                scale = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
                loss = loss * (labels.ne(IGNORE_INDEX).sum() / num_items_in_batch) * scale
        return (loss, outputs) if return_outputs else loss

    def _distilled(
        self,
        task_loss: Tensor,
        outputs: Any,
        teacher_outputs: dict[str, Tensor],
        labels: Tensor | None,
        attention_mask: Tensor | None,
    ) -> Tensor:
        epoch = self.state.global_step / self._steps_per_epoch if self._steps_per_epoch else 0.0
        for setting in self._distillation:
            if not teacher_outputs or not setting.is_active(epoch):
                continue
            keys = setting.distill_output_keys or _DEFAULT_OUTPUT_KEYS
            divergences = [
                kl_divergence(
                    outputs[key],
                    teacher_outputs[key],
                    setting.temperature,
                    valid_positions(outputs[key], labels, attention_mask),
                )
                for key in keys
            ]
            task_loss = (1 - setting.hardness) * task_loss + setting.hardness * torch.stack(divergences).mean()
        return task_loss


class RecipeScheduler(LRScheduler):
    """Puts into every parameter group the learning rate that a function gives for the step."""

    def __init__(self, optimizer: torch.optim.Optimizer, learning_rate: Callable[[int], float]) -> None:
        """Schedules `optimizer` by `learning_rate`, a function of the number of steps taken."""
        self._learning_rate = learning_rate
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Tensor]:
        """Learning rate of the next step, for each group."""
        return [self._learning_rate(self.last_epoch)] * len(self.optimizer.param_groups)

    def state_dict(self) -> dict[str, Any]:
        """The counters; the function is made again from the recipe."""
        return {key: value for key, value in super().state_dict().items() if key != "_learning_rate"}
