"""A Trainer for a task and its splits: what the training steps and the training commands have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import transformers

from sparse_core.errors import ConfigError
from sparse_core.training.callback import ProgressCallback
from sparse_core.training.scheduler import sets_learning_rate
from sparse_core.training.streamed import StreamedMetrics
from sparse_core.training.trainer import Trainer

if TYPE_CHECKING:
    from datasets import Dataset

    from sparse_core.tasks import Task


def task_trainer(
    task: Task,
    model: transformers.PreTrainedModel,
    tokenizer: Any,
    arguments: transformers.TrainingArguments,
    *,
    train: Dataset | None,
    evaluation: Dataset | None,
    examples: Dataset | None,
    pad_to: int | None = None,
    stop_epoch: float | None = None,
    **trainer_arguments: Any,
) -> Trainer:
    """A Trainer whose batches and scores are the task's, and which logs its progress.

    Args:
        task: of the rows.
        model: with the task's head.
        tokenizer: of the rows, saved with the model.
        arguments: `batch_eval_metrics` and `label_names` are set.
        train: tokenized rows to train on; None: it will only evaluate.
        evaluation: tokenized rows to evaluate on; None: it will not evaluate.
        examples: those rows before tokenization.
        pad_to: tokens to pad every batch to; None: those of its longest row.
        stop_epoch: end the training before this epoch.
        trainer_arguments: more arguments of the Trainer: recipe, teacher, callbacks.

    Raises:
        ConfigError: an optimizer or a scheduler was asked for that cannot be made.
    """
    arguments.batch_eval_metrics = True
    arguments.label_names = list(task.label_columns)
    trainer = Trainer(
        model=model,
        args=arguments,
        train_dataset=train,
        eval_dataset=evaluation,
        data_collator=task.collator(tokenizer, training=True, pad_to=pad_to),
        eval_collator=task.collator(tokenizer, pad_to=pad_to),
        compute_metrics=_scores(task, evaluation, examples),
        processing_class=tokenizer,
        callbacks=[ProgressCallback(stop_epoch), *trainer_arguments.pop("callbacks", ())],
        stop_epoch=stop_epoch,
        **trainer_arguments,
    )
    trainer.remove_callback(transformers.PrinterCallback)
    if train is not None:
        _require_optimizer(trainer)
    return trainer


def _require_optimizer(trainer: Trainer) -> None:
    """Makes the optimizer and Hugging Face's scheduler once, so that mistakes show before the training.

    Raises:
        ConfigError: one of them cannot be made.
    """
    setting, value = "optim", trainer.args.optim.value
    try:
        optimizer = trainer.create_optimizer()
        if not sets_learning_rate(trainer.recipe):
            setting, value = "lr_scheduler_type", trainer.args.lr_scheduler_type.value
            trainer.create_scheduler(num_training_steps=1, optimizer=optimizer)
    except (ImportError, ValueError, TypeError) as error:
        raise ConfigError(setting, f"{value} cannot be used: {' '.join(str(error).split())}") from None
    finally:
        trainer.optimizer = trainer.lr_scheduler = None
        trainer._created_lr_scheduler = False


def _scores(task: Task, rows: Dataset | None, examples: Dataset | None) -> StreamedMetrics | None:
    return None if rows is None or examples is None else StreamedMetrics(task, rows, examples)


def evaluate_on(trainer: Trainer, task: Task, name: str, rows: Dataset, examples: Dataset) -> dict[str, float]:
    """Scores of another split, as `eval_<name>_...`.

    Args:
        trainer: made by `task_trainer`; evaluates on this split from here on.
        task: of the rows.
        name: of the split.
        rows: tokenized rows.
        examples: those rows before tokenization.
    """
    trainer.compute_metrics = _scores(task, rows, examples)
    trainer.eval_dataset = {name: rows}  # by a name of its own, so that no kept loader is used for it
    return trainer.evaluate(name, metric_key_prefix=f"eval_{name}")


def scores_of_last_step(trainer: Trainer) -> dict[str, float]:
    """Scores that the training measured after its last step.

    Empty where it made none, and where the model is by now that of another step.
    """
    if trainer.args.load_best_model_at_end:
        return {}
    evaluations = (entry for entry in reversed(trainer.state.log_history) if "eval_loss" in entry)
    return next((entry for entry in evaluations if entry["step"] == trainer.state.global_step), {})
