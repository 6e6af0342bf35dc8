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

from sparse_core.errors import ConfigError, ModelError
from sparse_core.modifiers.distillation.losses import IGNORE_INDEX
from sparse_core.modifiers.distillation.modifier import DistillationModifier
from sparse_core.modifiers.distillation.teacher import TEACHER_PREFIX, Collator, TeacherOutputCollator
from sparse_core.modifiers.pruning.report import sparsity_report
from sparse_core.modifiers.quantization.hf_quantizer import quantization_of
from sparse_core.recipe import ARTIFACT_NAME, Recipe, load_recipe, prunes
from sparse_core.tasks.inference import rows_by_length
from sparse_core.training.arguments import TrainingArguments
from sparse_core.training.callback import (
    DECAYS,
    CollatorCallback,
    RecipeCallback,
    WholeCheckpointCallback,
    num_steps_per_epoch,
)
from sparse_core.training.checkpoints import last_whole_checkpoint, require_whole, set_aside_cut_short
from sparse_core.training.distiller import make_distiller
from sparse_core.training.sampler import LengthGroupedSampler
from sparse_core.training.scheduler import RecipeScheduler
from sparse_core.training.streamed import StreamedMetrics
from sparse_core.training.teachers import without_teacher_inputs

logger = logging.getLogger(__name__)

_DEFAULT_OUTPUT_DIR = "trainer_output"
_SPARSE = 0.05
"""Share of zeros from which a model was pruned on purpose."""


class Trainer(transformers.Trainer):
    """Trains as Hugging Face's Trainer does, by a recipe; takes the arguments of SparseML's Trainer.

    The recipe decides the number of epochs and, where it has such modifiers, learning rate and weight decay. During
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
            model_state_path: directory that the model was loaded from, for messages. Nothing is read from it: a model
                of ours comes back sparse and quantized from `from_pretrained`.
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
            ConfigError: an argument is given twice, under two names.
        """
        if isinstance(model_state_path, transformers.TrainingArguments):  # as in Hugging Face's Trainer
            args, model_state_path = _one_of({"the second argument": model_state_path, "args": args}), None
        teacher = _one_of({"teacher": teacher, "distill_teacher": distill_teacher})
        names = ("processing_class", "tokenizer")
        kwargs["processing_class"] = _one_of({name: kwargs.pop(name, None) for name in names})
        self.recipe = recipe if isinstance(recipe, Recipe) or recipe is None else load_recipe(recipe, recipe_args)
        args = TrainingArguments(_DEFAULT_OUTPUT_DIR) if args is None else copy.copy(args)
        if self.recipe is not None and args.max_steps <= 0:
            args.num_train_epochs = self.recipe.num_epochs
        if args.save_total_limit == 1:
            # the newest checkpoint is not whole yet when Hugging Face deletes the one before it
            args.save_total_limit = 2
        self.model_state_path = model_state_path
        self._metadata = _metadata(metadata_args or (), args, data_args)
        self._eval_collator = eval_collator
        train_dataset, own_inputs = without_teacher_inputs(train_dataset)
        super().__init__(
            model=model,
            args=args,
            train_dataset=train_dataset,
            eval_dataset=without_teacher_inputs(eval_dataset)[0],
            **kwargs,
        )
        # the loss is scaled here; the models' own scaling is wrong in some heads (huggingface/transformers#47688)
        self.model_accepts_loss_kwargs = True
        self._recipe_callback: RecipeCallback | None = None
        if self.recipe is not None:
            for warning in self.recipe.warnings:
                logger.warning("%s", warning)
            self._recipe_callback = RecipeCallback(self.recipe, stop_epoch)
            self.add_callback(self._recipe_callback)
        else:
            self.add_callback(WholeCheckpointCallback())
        self.add_callback(CollatorCallback(self.data_collator))
        self._distiller = make_distiller(
            self.recipe.of_type(DistillationModifier) if self.recipe is not None else (),
            self.model,
            teacher,
            self.processing_class,
            self._label_names(),
            own_inputs if teacher_dataset is None else teacher_dataset,
            teacher_collator,
        )
        self._steps_per_epoch = 0

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """Trains; `resume_from_checkpoint=True` goes on from the last whole checkpoint in output_dir, if there is one.

        Raises:
            ModelError: the checkpoint is cut short, or belongs to another recipe.
        """
        output_dir = Path(self.args.output_dir)
        if resume_from_checkpoint is True:
            checkpoint = last_whole_checkpoint(output_dir)
        else:
            checkpoint = Path(resume_from_checkpoint) if resume_from_checkpoint else None
        set_aside_cut_short(output_dir, keep=checkpoint)
        if checkpoint is not None and self._recipe_callback is not None:
            require_whole(checkpoint)
            self._recipe_callback.restore(self.model, checkpoint)
        self._warn_of_zeros_that_nothing_holds()
        if self._distiller is not None:
            self._set_signature_columns_if_needed()
            self.train_dataset = self._distiller.prepare(
                self.train_dataset,
                self._signature_columns,
                self.data_collator,
                self.args.eval_batch_size,
                self.args.device,
            )
        output = super().train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint), **kwargs)
        self.log_model_sparsification()
        return output

    def _warn_of_zeros_that_nothing_holds(self) -> None:
        sparsity = sparsity_report(self.model).encoder
        if sparsity > _SPARSE and (self.recipe is None or not prunes(self.recipe)):
            logger.warning(
                "recipe: %.0f%% of the encoder's weights are zero, and nothing keeps them so in this training; to keep "
                "them, use a recipe with a ConstantPruningModifier",
                100 * sparsity,
            )

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
            (Path(output_dir or self.args.output_dir) / ARTIFACT_NAME).write_text(text, encoding="utf-8")

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
        """Rows of like length together for StreamedMetrics, which expect them so; else as they come."""
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
        self._steps_per_epoch = num_steps_per_epoch(len(dataloader), self.args.gradient_accumulation_steps)
        return dataloader

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
        absent_by_design = {
            *getattr(self.model, "all_tied_weights_keys", ()),
            *(getattr(self.model, "_keys_to_ignore_on_save", None) or ()),
        }
        missing = [name for name in load_result.missing_keys if name not in absent_by_design]
        for names, how in ((missing, "lacks"), (load_result.unexpected_keys, "has, and the model has not,")):
            if names:
                raise ModelError(
                    f"resume_from_checkpoint: the checkpoint {how} {len(names)} tensors, first '{names[0]}'; it is of "
                    "another model, or of one that was not quantized as this one is"
                )

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
        batch, inputs = inputs, {k: v for k, v in inputs.items() if not k.startswith(TEACHER_PREFIX)}
        labels = next((inputs[name] for name in self._label_names() if name in inputs), None)
        # without the count the parent gives the plain mean over this batch
        loss, outputs = super().compute_loss(model, dict(inputs), return_outputs=True)
        num_labelled = None if labels is None else _is_labelled(labels).sum()
        if num_labelled is not None:
            loss = torch.where(num_labelled > 0, loss, 0.0)  # the mean over no label is no number
        if model.training:
            if self._distiller is not None:
                epoch = self.state.global_step / self._steps_per_epoch if self._steps_per_epoch else 0.0
                loss = self._distiller.mixed_loss(loss, outputs, batch, labels, epoch)
            if num_items_in_batch is not None and num_labelled is not None:
                scale = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
                # a batch without labels has no share, also in a step that has none at all
                loss = loss * (num_labelled / torch.as_tensor(num_items_in_batch).clamp(min=1)) * scale
        return (loss, outputs) if return_outputs else loss


def _is_labelled(labels: Tensor) -> Tensor:
    """Which labels count, bool in their shape; as numbers of a regression all do, -100 too."""
    return torch.ones_like(labels, dtype=torch.bool) if labels.is_floating_point() else labels.ne(IGNORE_INDEX)


def _one_of(arguments: dict[str, Any]) -> Any:
    """The argument that was given, of several names for the same; None where there is none."""
    given = {name: value for name, value in arguments.items() if value is not None}
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)}: both are given, and they mean the same; leave one of them out")
    return next(iter(given.values()), None)


def _metadata(names: Sequence[str], args: transformers.TrainingArguments, data_args: Any) -> dict[str, Any]:
    """Values of the named arguments; those that are not there, or not set, are left out with a line in the log."""
    values = {**(data_args if isinstance(data_args, dict) else vars(data_args or object)), **args.to_dict()}
    lacking = [name for name in names if values.get(name) is None]
    if lacking:
        logger.warning("metadata_args: not recorded, because they are not set: %s", ", ".join(lacking))
    return {name: values[name] for name in names if name not in lacking}
