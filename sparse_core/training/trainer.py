"""Hugging Face's Trainer with a recipe and a teacher."""

from __future__ import annotations

import copy
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
import yaml
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.utils.data import DataLoader, Sampler, SequentialSampler
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_utils import has_length

from sparse_core.artifacts.recipe import RECIPE_NAME
from sparse_core.modifiers.base import ForwardPass, TrainingContext
from sparse_core.modifiers.distillation.losses import IGNORE_INDEX
from sparse_core.modifiers.distillation.teacher import TEACHER_PREFIX, Collator, TeacherOutputCollator
from sparse_core.modifiers.pruning.report import sparsity_report
from sparse_core.modifiers.quantization.hf_quantizer import quantization_of
from sparse_core.recipe import Recipe, load_recipe
from sparse_core.tasks.inference import rows_by_length
from sparse_core.training.arguments import TrainingArguments, export_token, metadata_from, only_value
from sparse_core.training.best_model import first_epoch_that_counts, is_too_early, warn_of_no_best
from sparse_core.training.callback import (
    DECAYS,
    CollatorCallback,
    RecipeCallback,
    WholeCheckpointCallback,
    num_steps_per_epoch,
)
from sparse_core.training.checkpoints import (
    last_whole_checkpoint,
    require_same_tensors,
    require_whole,
    set_aside_cut_short,
)
from sparse_core.training.checks import (
    best_model_errors,
    require_batch,
    require_classes,
    require_length,
    warn_of_lost_zeros,
)
from sparse_core.training.context import training_context
from sparse_core.training.distiller import make_distiller
from sparse_core.training.sampler import LengthGroupedSampler
from sparse_core.training.scheduler import RecipeScheduler, sets_learning_rate
from sparse_core.training.streamed import StreamedMetrics
from sparse_core.training.teachers import without_teacher_inputs

logger = logging.getLogger(__name__)

_DEFAULT_OUTPUT_DIR = "trainer_output"


class Trainer(transformers.Trainer):
    """Trains as Hugging Face's Trainer does, by a recipe; takes the arguments of SparseML's Trainer.

    The recipe decides the number of epochs and, if it has such modifiers, learning rate and weight decay. During
    training the loss is the recipe's (task loss and distillation); `eval_loss` is the task loss always.

    Gradient accumulation: the loss of each micro-batch is weighted by its share of the labels of the whole step, so
    that 4 batches of 8 give the gradient of 1 batch of 32.
    """

    # the base class sets these; its module is not followed by the type checker
    train_dataset: Any
    data_collator: Any
    lr_scheduler: Any
    _signature_columns: Any

    def __init__(
        self,
        model: nn.Module | None = None,
        model_state_path: str | Path | None = None,
        recipe: Recipe | str | Path | None = None,
        recipe_args: dict[str, Any] | str | None = None,
        metadata_args: Sequence[str] | None = None,
        data_args: Any = None,
        teacher: nn.Module | str | Path | None = None,
        *,
        args: transformers.TrainingArguments | None = None,
        train_dataset: Any = None,
        eval_dataset: Any = None,
        distill_teacher: nn.Module | str | Path | None = None,
        teacher_dataset: Any = None,
        teacher_collator: Collator | None = None,
        stop_epoch: float | None = None,
        eval_collator: Collator | None = None,
        **kwargs: Any,
    ) -> None:
        """Makes a trainer; all other arguments are Hugging Face's, and `tokenizer` is its `processing_class`.

        The order is SparseML's; `Trainer(model, args)` is understood too.

        Args:
            model: the model to train.
            model_state_path: folder that the model was loaded from, for messages. Nothing is read from it, because
                `from_pretrained` restores our sparse and quantized models.
            recipe: a Recipe, the name of a built-in, a path, or YAML text; None trains plainly.
            recipe_args: values for the recipe's root variables, dict or JSON text.
            metadata_args: names of training arguments, or of `data_args`, whose values the saved recipe.yaml records
                under `__metadata__`.
            data_args: a mapping, or an object with attributes, in which `metadata_args` are looked up too.
            teacher: the teacher, its directory or hub id; "self" for the model as it starts; "disable" trains a
                distillation recipe without one.
            args: Hugging Face TrainingArguments; `num_train_epochs` follows the recipe unless `max_steps` is set.
            train_dataset: tokenized rows; columns `distill_teacher:input_ids`, ... are the teacher's own tokens.
            eval_dataset: tokenized rows.
            distill_teacher: the same as `teacher`.
            teacher_dataset: the rows of `train_dataset`, in the same order, tokenized for the teacher; None where it
                reads the same tokens.
            teacher_collator: makes batches of `teacher_dataset`; None: `data_collator` does.
            stop_epoch: end the training, with a checkpoint, before the first step of this epoch.
            eval_collator: makes the batches of evaluations; None: `data_collator` makes them too.
            kwargs: Hugging Face Trainer's arguments.

        Raises:
            RecipeError: the recipe cannot be read, or does not fit the model.
            ModelError: the recipe distils and there is no teacher, or one that does not fit the model.
            ConfigError: an argument is given twice, the data has no length or no batch, or labels cannot be smoothed.
        """
        if isinstance(model_state_path, transformers.TrainingArguments):  # as in Hugging Face's Trainer
            args, model_state_path = only_value({"the second argument": model_state_path, "args": args}), None
        teacher = only_value({"teacher": teacher, "distill_teacher": distill_teacher})
        names = ("processing_class", "tokenizer")
        kwargs["processing_class"] = only_value({name: kwargs.pop(name, None) for name in names})
        self.recipe = recipe if isinstance(recipe, Recipe) or recipe is None else load_recipe(recipe, recipe_args)
        args = TrainingArguments(_DEFAULT_OUTPUT_DIR) if args is None else copy.copy(args)
        if self.recipe is not None and args.max_steps <= 0:
            args.num_train_epochs = self.recipe.num_epochs
        export_token(args)
        if args.save_total_limit == 1:
            # the newest checkpoint is not whole yet when Hugging Face deletes the one before it
            args.save_total_limit = 2
        self.model_state_path = model_state_path
        self._metadata = metadata_from(metadata_args or (), args, data_args)
        self._eval_collator = eval_collator
        if self.recipe is not None:
            require_length(train_dataset)
        require_batch(train_dataset, args)
        train_dataset, own_inputs = without_teacher_inputs(train_dataset)
        super().__init__(
            model=model,
            args=args,
            train_dataset=train_dataset,
            eval_dataset=without_teacher_inputs(eval_dataset)[0],
            **kwargs,
        )
        if args.label_smoothing_factor:
            require_classes(self.model)
        # the loss is scaled here; the models' own scaling is wrong in some heads (huggingface/transformers#47688)
        self.model_accepts_loss_kwargs = True
        self._recipe_callback: RecipeCallback | None = None
        if self.recipe is not None:
            for warning in self.recipe.warnings:
                logger.warning("%s", warning)
            self._recipe_callback = RecipeCallback(self.recipe, self._training_context, stop_epoch)
            self.add_callback(self._recipe_callback)
        else:
            self.add_callback(WholeCheckpointCallback())
        self.add_callback(CollatorCallback(self.data_collator))
        self._distiller = make_distiller(
            self.recipe,
            self.model,
            teacher,
            self.processing_class,
            self._label_names(),
            own_inputs if teacher_dataset is None else teacher_dataset,
            teacher_collator,
        )
        self._first_best_epoch = first_epoch_that_counts(self.recipe, args)
        self._steps_per_epoch = 0

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """Trains; `resume_from_checkpoint=True` goes on from the last whole checkpoint in output_dir, if there is one.

        Raises:
            ModelError: the checkpoint is cut short, or belongs to another recipe.
            ConfigError: metric_for_best_model is no score of an evaluation.
        """
        output_dir = Path(self.args.output_dir)
        if resume_from_checkpoint is True:
            checkpoint = last_whole_checkpoint(output_dir)
        else:
            checkpoint = Path(resume_from_checkpoint) if resume_from_checkpoint else None
        set_aside_cut_short(output_dir, keep=checkpoint)
        if self._recipe_callback is not None:
            self._recipe_callback.reset()
            if checkpoint is not None:
                require_whole(checkpoint)
                self._recipe_callback.restore(self.model, checkpoint)
        warn_of_lost_zeros(self.model, self.recipe)
        if self._distiller is not None:
            self._set_signature_columns_if_needed()
            self.train_dataset = self._distiller.prepare(
                self.train_dataset,
                self._signature_columns,
                self.data_collator,
                self.args.eval_batch_size,
                self.args.device,
            )
        with best_model_errors():
            output = super().train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint), **kwargs)
        warn_of_no_best(self.args, self.state, self._first_best_epoch)
        self.log_model_sparsification()
        return output

    def _training_context(self, model: nn.Module, steps_per_epoch: int) -> TrainingContext:
        return training_context(self, self._distiller, model, steps_per_epoch)

    def _label_names(self) -> tuple[str, ...]:
        return ("labels", *self.label_names)

    # --- what is left behind ----------------------------------------------------------------------------------------

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Saves model and tokenizer as Hugging Face does, and the recipe beside them as `recipe.yaml`."""
        super().save_model(output_dir, _internal_call)
        if self.recipe is not None and self.args.should_save:
            text = self.recipe.to_yaml()
            if self._metadata:
                text += "\n" + yaml.safe_dump({"__metadata__": self._metadata}, sort_keys=False)
            (Path(output_dir or self.args.output_dir) / RECIPE_NAME).write_text(text, encoding="utf-8")

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        super()._save(output_dir, state_dict)
        # a pickle of the arguments, which nothing reads
        (Path(output_dir or self.args.output_dir) / TRAINING_ARGS_NAME).unlink(missing_ok=True)

    def save_optimizer_and_scheduler(self, output_dir: str | Path) -> None:
        """Saves the states of optimizer and scheduler, as in a checkpoint; a training must have made them."""
        self._save_optimizer_and_scheduler(str(output_dir))

    def log_model_sparsification(self) -> None:
        """Logs how sparse the model is, and whether it is quantized."""
        report = sparsity_report(self.model)
        logger.info(
            "%s: %.1f%% of the encoder's weights and %.1f%% of all are zero; %s",
            self.model_state_path or type(self.model).__name__,
            100 * report.encoder,
            100 * report.model,
            "float" if quantization_of(self.model) is None else "quantized",
        )

    # --- what Hugging Face's Trainer asks for -----------------------------------------------------------------------

    def _set_signature_columns_if_needed(self) -> None:
        super()._set_signature_columns_if_needed()
        keys = () if self._distiller is None else self._distiller.output_keys
        teacher_columns = [TEACHER_PREFIX + key for key in keys]
        self._signature_columns = list(dict.fromkeys([*self._signature_columns, *teacher_columns]))

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if self.args.train_sampling_strategy != "group_by_length" or not hasattr(dataset, "column_names"):
            return super()._get_train_sampler(train_dataset)
        name = self.args.length_column_name
        if name in self.train_dataset.column_names:
            lengths = self.train_dataset.with_format("numpy")[name][:]  # not as a list, which takes 36 bytes a row
        else:
            lengths = [len(ids) for ids in dataset["input_ids"]]
        seed = self.args.data_seed if self.args.data_seed is not None else self.args.seed
        return LengthGroupedSampler(lengths, self.args.train_batch_size * self.args.gradient_accumulation_steps, seed)

    def _get_eval_sampler(self, eval_dataset: Any) -> Any:
        """The order that StreamedMetrics expect, similar lengths together; without them, the order of the data."""
        if isinstance(self.compute_metrics, StreamedMetrics):
            return rows_by_length(eval_dataset).tolist()
        return SequentialSampler(eval_dataset) if hasattr(eval_dataset, "__len__") else None

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader:
        """Hugging Face's loader, with `eval_collator`."""
        if isinstance(self.compute_metrics, StreamedMetrics):
            self.compute_metrics.start_anew()
        with self._in_place(self._eval_collator or self.data_collator):
            return super().get_eval_dataloader(eval_dataset)

    def get_test_dataloader(self, test_dataset: Any) -> DataLoader:
        """Hugging Face's loader, with `eval_collator`."""
        with self._in_place(self._eval_collator or self.data_collator):
            return super().get_test_dataloader(test_dataset)

    def get_train_dataloader(self) -> DataLoader:
        """Hugging Face's loader, with the teacher's outputs; notes how many optimizer steps make an epoch."""
        collator = self.data_collator
        with self._in_place(collator if self._distiller is None else TeacherOutputCollator(collator)):
            dataloader = super().get_train_dataloader()
        if has_length(dataloader):
            self._steps_per_epoch = num_steps_per_epoch(len(dataloader), self.args.gradient_accumulation_steps)
        return dataloader

    @property
    def epochs_done(self) -> float:
        """Completed epochs of the recipe, counted in optimizer steps; 0 before a training."""
        return self.state.global_step / self._steps_per_epoch if self._steps_per_epoch else 0.0

    def get_batch_samples(self, epoch_iterator: Iterator, num_batches: int, device: Any) -> tuple[list, Any]:
        """Hugging Face's batches of the next step; none if the training was resumed at its end."""
        if self.control.should_training_stop:
            return [], None
        return super().get_batch_samples(epoch_iterator, num_batches, device)

    @contextmanager
    def _in_place(self, collator: Collator) -> Iterator[None]:
        usual, self.data_collator = self.data_collator, collator
        try:
            yield
        finally:
            self.data_collator = usual

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Hugging Face's optimizer, its groups marked by whether weight decay applies to them."""
        optimizer = super().create_optimizer() if model is None else super().create_optimizer(model)
        decaying = set(self.get_decay_parameter_names(self.model))
        by_id = {id(parameter): name for name, parameter in self.model.named_parameters()}
        for group in optimizer.param_groups:
            group[DECAYS] = any(by_id.get(id(parameter)) in decaying for parameter in group["params"])
        return optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LRScheduler:
        """The recipe's learning rate if it sets one, else Hugging Face's scheduler."""
        if self.recipe is None or not sets_learning_rate(self.recipe):
            return super().create_scheduler(num_training_steps, optimizer)
        if self.lr_scheduler is None:
            recipe, steps, default = self.recipe, self._steps_per_epoch, self.args.learning_rate

            def learning_rate(step: int) -> float:
                value = recipe.learning_rate_at(step / steps)
                return default if value is None else value

            self.lr_scheduler = RecipeScheduler(self.optimizer if optimizer is None else optimizer, learning_rate)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_num_items_in_batch(self, batch_samples: list, device: Any) -> Any:
        # Hugging Face counts the entries of `labels` alone; a row with a span has one label, the pair of its ends
        name = next(iter(self.label_names), "labels")
        names = [name if "labels" not in batch else "labels" for batch in batch_samples]
        counted = [
            # it counts what is not IGNORE_INDEX
            {"labels": torch.where(_is_labelled(batch[name]), 0, IGNORE_INDEX)} if name in batch else batch
            for name, batch in zip(names, batch_samples, strict=True)
        ]
        return super()._get_num_items_in_batch(counted, device)

    def _issue_warnings_after_load(self, load_result: Any) -> None:
        # Hugging Face warns of weights that are tied, and goes on with random ones where some are really missing
        require_same_tensors(self.model, load_result)

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        is_best = super()._determine_best_metric(metrics, trial)
        if is_too_early(self.state, self._steps_per_epoch, self._first_best_epoch):
            self.state.best_metric = self.state.best_global_step = None
        return is_best

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, Any]:
        """The task loss, changed by the recipe's modifiers while training.

        Args:
            model: the student.
            inputs: a batch; may hold `teacher_<key>`, (batch, ...) float.
            return_outputs: give the model's outputs too.
            num_items_in_batch: number of labels in all micro-batches of this optimizer step.
        """
        batch, inputs = inputs, {k: v for k, v in inputs.items() if not k.startswith(TEACHER_PREFIX)}
        labels = next((inputs[name] for name in self._label_names() if name in inputs), None)
        if self.label_smoother is not None:
            require_classes(self.model, labels)
        # without the count the parent gives the plain mean over this batch
        loss, outputs = super().compute_loss(model, dict(inputs), return_outputs=True)
        num_labelled = None if labels is None else _is_labelled(labels).sum()
        if num_labelled is not None:
            loss = torch.where(num_labelled > 0, loss, 0.0)  # the mean over no label is no number
        if model.training:
            if self._recipe_callback is not None:
                loss = self._recipe_callback.loss(loss, ForwardPass(outputs, batch, labels, self.epochs_done))
            if num_items_in_batch is not None and num_labelled is not None:
                scale = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
                # a batch without labels has no share, also in a step that has none at all
                loss = loss * (num_labelled / torch.as_tensor(num_items_in_batch).clamp(min=1)) * scale
        return (loss, outputs) if return_outputs else loss


def _is_labelled(labels: Tensor) -> Tensor:
    """Which labels count, bool in their shape; in a regression all do, also -100."""
    return torch.ones_like(labels, dtype=torch.bool) if labels.is_floating_point() else labels.ne(IGNORE_INDEX)
