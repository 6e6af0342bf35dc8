"""One training job: what to train, evaluate or predict, and how. Steps and commands describe it and run it here."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers

from sparse_core.artifacts.dataset import DatasetSchema, read_schema
from sparse_core.artifacts.model import Model
from sparse_core.errors import ModelError, renamed_settings
from sparse_core.modifiers.pruning.report import sparsity_report
from sparse_core.tasks import Task, read_examples, task_of
from sparse_core.tasks.inference import predict, torch_forward
from sparse_core.tasks.tokenizers import save_tokenizer
from sparse_core.training.assembly import evaluate_on, scores_of_last_step, task_trainer
from sparse_core.training.callback import TIMING_SUFFIXES
from sparse_core.training.teachers import NO_TEACHER, SELF_TEACHER, teacher_rows
from sparse_core.training.trainer import Trainer

if TYPE_CHECKING:
    from datasets import Dataset

    from sparse_core.recipe import Recipe

logger = logging.getLogger(__name__)

VALIDATION, MISMATCHED = "validation", "validation_mismatched"
"""The split that is evaluated, and MNLI's second one."""
MISMATCHED_SUFFIX = "_mm"
"""Ends the names of scores on MNLI's second splits, as in Hugging Face's example scripts."""


@dataclass(frozen=True)
class TrainingJob:
    """What to train, evaluate or predict.

    Attributes:
        name: the step or command, for messages.
        model: Hugging Face folder to start from.
        dataset: dataset artifact.
        arguments: Hugging Face's training arguments.
        max_seq_length: longest row in tokens.
        recipe: the recipe to follow; None trains plainly.
        teacher: folder of the teacher, "self" or "disable"; None: none is named.
        use_teacher_tokenizer: the teacher may have another tokenizer, and then reads tokens of its own.
        trains: False: the model is taken as it is, and must have a trained head.
        evaluates: the validation split is scored during and after the training.
        pad_to_max_length: pad every batch to max_seq_length instead of to its longest row.
        stop_epoch: end before this epoch, with a checkpoint; None runs to the end.
    """

    name: str
    model: Path
    dataset: Path
    arguments: transformers.TrainingArguments
    max_seq_length: int
    recipe: Recipe | None = None
    teacher: Path | str | None = None
    use_teacher_tokenizer: bool = False
    trains: bool = True
    evaluates: bool = True
    pad_to_max_length: bool = False
    stop_epoch: float | None = None

    @property
    def is_distilled(self) -> bool:
        """Whether the recipe learns from a teacher."""
        return self.recipe is not None and self.recipe.needs_teacher


class TrainingSession:
    """A running job. Its inputs are loaded when they are first needed."""

    def __init__(self, job: TrainingJob) -> None:
        """Takes the job; loads nothing."""
        self.job = job

    # --- inputs -----------------------------------------------------------------------------------------------------

    @cached_property
    def schema(self) -> DatasetSchema:
        """What the data is."""
        return read_schema(self.job.dataset)

    @cached_property
    def task(self) -> Task:
        """The task, with the user's options and those that the data decided."""
        return task_of(self.schema)

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer."""
        return self.task.load_tokenizer(self.job.model)

    @property
    def pad_to(self) -> int | None:
        """Tokens to pad every batch to; None: those of its longest row."""
        return self.job.max_seq_length if self.job.pad_to_max_length else None

    def rows(self, split: str) -> Dataset:
        """Tokenized rows of a split."""
        return self.task.load_split(self.job.dataset, split, self.tokenizer, self.job.max_seq_length)

    def examples(self, split: str) -> Dataset:
        """Rows of a split before tokenization."""
        return read_examples(self.job.dataset, split)

    # --- model ------------------------------------------------------------------------------------------------------

    @cached_property
    def model(self) -> transformers.PreTrainedModel:
        """The model with the task's head.

        Raises:
            SparseCoreError: the model does not fit the data or the recipe.
        """
        transformers.set_seed(self.job.arguments.seed)  # before the head is made
        model = self.task.load_model(self.job.model, self.schema, trained_head=not self.job.trains)
        if self.job.trains and self.job.recipe is not None:
            self.job.recipe.require_fit(model)  # here, and not after the teacher has run
        return model

    @cached_property
    def trainer(self) -> Trainer:
        """The Trainer, which reads only the splits that the job needs.

        Raises:
            SparseCoreError: model, data, teacher and arguments do not fit one another.
        """
        job, model = self.job, self.model
        evaluation = self.rows(VALIDATION) if job.evaluates else None
        return task_trainer(
            self.task,
            model,
            self.tokenizer,
            job.arguments,
            train=self.rows("train") if job.trains else None,
            evaluation=evaluation,
            examples=None if evaluation is None else self.examples(VALIDATION),
            pad_to=self.pad_to,
            stop_epoch=job.stop_epoch,
            **(self._recipe_arguments() if job.trains else {}),
        )

    def _recipe_arguments(self) -> dict[str, Any]:
        """The Trainer's arguments about the recipe and the teacher."""
        job = self.job
        named = job.teacher not in (None, NO_TEACHER)
        if not job.is_distilled:
            if named:
                logger.info("teacher: not used, because nothing in the recipe learns from a teacher")
            if job.use_teacher_tokenizer:
                logger.info("use_teacher_tokenizer has no effect: nothing is distilled")
            return {"recipe": job.recipe}
        if job.teacher is None or isinstance(job.teacher, str) and job.teacher in (NO_TEACHER, SELF_TEACHER):
            return {"recipe": job.recipe, "teacher": job.teacher}
        teacher = Path(job.teacher)
        own_tokens = teacher_rows(
            self.task,
            self.model,
            job.model,
            teacher,
            job.dataset,
            job.max_seq_length,
            use_teacher_tokenizer=job.use_teacher_tokenizer,
        )
        with renamed_settings({"model": "teacher"}):
            module = self.task.load_model(teacher, self.schema, trained_head=True)
        return {"recipe": job.recipe, "teacher": module, **own_tokens}

    # --- work -------------------------------------------------------------------------------------------------------

    def train(self, checkpoint: Path | None) -> dict[str, float]:
        """Trains, from a whole checkpoint if there is one, and returns the Trainer's metrics."""
        if checkpoint is not None:
            logger.info("%s: continues from %s", self.job.name, checkpoint)
        output = self.trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        return {**output.metrics, "train_samples": len(self.trainer.train_dataset)}

    def evaluate(self) -> dict[str, float]:
        """Scores on the validation split as `eval_...`, and on MNLI's second one as `eval_..._mm`.

        Scores that the training measured after its last step are used again.
        """
        known = scores_of_last_step(self.trainer) if self.job.trains else {}
        scores = {name: value for name, value in known.items() if name != "step"} or self.trainer.evaluate()
        scores["eval_samples"] = self.schema.num_rows[VALIDATION]
        if MISMATCHED in self.schema.num_rows:
            scores |= self._mismatched_scores()
        require_finite(scores)
        return scores

    def _mismatched_scores(self) -> dict[str, float]:
        examples, prefix = self.examples(MISMATCHED), f"eval_{MISMATCHED}_"
        scores = evaluate_on(self.trainer, self.task, MISMATCHED, self.rows(MISMATCHED), examples)
        renamed = {
            f"eval_{name.removeprefix(prefix)}{MISMATCHED_SUFFIX}": value
            for name, value in scores.items()
            if name.startswith(prefix)
        }
        return {**renamed, f"eval_samples{MISMATCHED_SUFFIX}": len(examples)}

    def predict(self, split: str) -> list[Any]:
        """The task's predictions for the rows of a split, in their order."""
        forward = torch_forward(self.trainer.model, self.task)
        collator = self.task.collator(self.tokenizer, pad_to=self.pad_to)
        return predict(forward, self.task, self.rows(split), collator, self.job.arguments.eval_batch_size)

    def save(self, directory: Path) -> None:
        """Writes the model with its tokenizer and recipe."""
        save_model(self.trainer.model, self.tokenizer, directory)
        if self.job.recipe is not None:
            Model(directory).recipe_path.write_text(self.job.recipe.to_yaml(), encoding="utf-8")


def scores_of(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics without times, sizes and counts of steps, as floats."""
    return {
        name: float(value)
        for name, value in metrics.items()
        if name.startswith("eval_")
        and not name.removesuffix(MISMATCHED_SUFFIX).endswith((*TIMING_SUFFIXES, "_samples"))
    }


def sparsity_metrics(model: Any) -> dict[str, float]:
    """Shares of zeros, 0 to 1, in the encoder's weights and in all weights."""
    report = sparsity_report(model)
    return {"encoder_sparsity": report.encoder, "model_sparsity": report.model}


def require_finite(metrics: Mapping[str, float]) -> None:
    """Refuses scores that are no numbers.

    Raises:
        ModelError: the training has diverged, or the model is damaged.
    """
    for name, value in metrics.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise ModelError(
                "model",
                f"{name} is {value}, so the training has diverged or the model is damaged",
                fix="lower the learning rate or check the model",
            )


def save_model(model: transformers.PreTrainedModel, tokenizer: Any, directory: Path) -> None:
    """Writes `model` and `tokenizer` as a plain Hugging Face folder, safetensors only."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.0)  # a masked negative weight is -0.0: equal to zero, but its bytes do not compress
    model.save_pretrained(directory)
    save_tokenizer(tokenizer, directory)
