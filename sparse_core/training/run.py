"""One training from artifacts to an artifact: what the training steps have in common."""

from __future__ import annotations

import logging
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers

from sparse_core import __version__
from sparse_core.artifacts.model import Model
from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ConfigError, ModelError
from sparse_core.modifiers.pruning.report import sparsity_report
from sparse_core.store import cache_root, identity, locked, publishing, require_free, require_room
from sparse_core.tasks import read_examples, read_schema, task_of
from sparse_core.tasks.tokenizers import save_tokenizer
from sparse_core.training.assembly import evaluate_on, scores_of_last_step, task_trainer
from sparse_core.training.callback import TIMING_SUFFIXES
from sparse_core.training.checkpoints import last_whole_checkpoint
from sparse_core.training.settings import TrainingSettings
from sparse_core.training.teachers import teacher_rows

if TYPE_CHECKING:
    from sparse_core.recipe import Recipe
    from sparse_core.training.arguments import TrainingArguments
    from sparse_core.training.trainer import Trainer

logger = logging.getLogger(__name__)

_MISMATCHED = "mismatched"
"""MNLI's second validation split is `validation_mismatched`."""
_CHECKPOINT_WEIGHT_COPIES = 4  # weights, two Adam moments, and masks as one byte a weight, rounded up
_CHECKPOINTS_ON_DISK = 3  # two kept by save_total_limit, and the one being written


@dataclass(frozen=True)
class TrainingRun:
    """What one training step does.

    Attributes:
        step: name of the step, for the manifest and the checkpoint folder.
        model: Hugging Face directory to start from.
        dataset: Dataset artifact.
        recipe: the recipe to follow.
        teacher: Hugging Face directory of the teacher; None where nothing is distilled.
        output: Model artifact to publish.
        settings: training settings.
        stop_epoch: end before this epoch, with a checkpoint in the artifact; None runs to the end.
        start_checkpoint: whole checkpoint of an earlier step to go on from.
        use_teacher_tokenizer: the teacher may have another tokenizer, and then reads tokens of its own.
    """

    step: str
    model: Path
    dataset: Path
    recipe: Recipe
    teacher: Path | None
    output: Path
    settings: TrainingSettings
    stop_epoch: float | None = None
    start_checkpoint: Path | None = None
    use_teacher_tokenizer: bool = False

    def execute(self) -> dict[str, Any]:
        """Trains, evaluates on the validation split and publishes the model; gives its metrics.

        A run that was killed goes on from its last whole checkpoint, found by the contents of all inputs.

        Raises:
            SparseCoreError: the inputs do not fit one another, the output is in use, the disk is too full, or the same
                training runs in another process.
        """
        require_free(self.output)
        work_dir = self._work_dir()
        with locked(work_dir), self.settings.named_as_written():
            metrics = self._train(work_dir)
            shutil.rmtree(work_dir)
        return metrics

    def _train(self, work_dir: Path) -> dict[str, Any]:
        start_time = time.monotonic()
        trainer = self._trainer(work_dir)
        resume = last_whole_checkpoint(work_dir) or self.start_checkpoint
        if resume is not None:
            logger.info("%s: going on from %s", self.step, resume)
        trainer.train(resume_from_checkpoint=str(resume) if resume is not None else None)
        checkpoint = self._checkpoint_at_end(trainer, work_dir)
        metrics = self._metrics(trainer)
        train_seconds = time.monotonic() - start_time
        with publishing(self.output) as staging:
            save_model(trainer.model, trainer.processing_class, staging)
            artifact = Model(staging)
            artifact.recipe_path.write_text(self.recipe.to_yaml(), encoding="utf-8")
            artifact.write_metrics(metrics)
            if checkpoint is not None:
                shutil.copytree(checkpoint, artifact.checkpoint)
            RunRecord(
                step=self.step, seconds=train_seconds, metrics=metrics, log_history=trainer.state.log_history
            ).write(staging)
        return metrics

    def _checkpoint_at_end(self, trainer: Trainer, work_dir: Path) -> Path | None:
        """The checkpoint of where the training stopped; None where it is the recipe's end.

        Raises:
            ModelError: the training has come neither to stop_epoch nor to the recipe's end, or left no checkpoint.
        """
        step, max_steps = trainer.state.global_step, trainer.state.max_steps
        is_early = step < max_steps if self.stop_epoch is None else trainer.epochs_done < self.stop_epoch
        if is_early:
            raise ModelError(
                f"{self.step}: the training ended at step {step} of {max_steps}, before the recipe's end or what this "
                "step does of it, so nothing is published; leave out of training_arguments what ends it early"
            )
        if self.stop_epoch is None:
            return None
        checkpoint = last_whole_checkpoint(work_dir)
        if checkpoint is None or checkpoint.name != f"checkpoint-{step}":
            raise ModelError(
                f"{self.step}: the training left no checkpoint of step {step}, its last, from which qat_finalize "
                "could go on; leave out of training_arguments what decides when checkpoints are written"
            )
        return checkpoint

    def evaluate(self) -> dict[str, Any]:
        """Publishes the model as it is, with its metrics on the validation split.

        Raises:
            ModelError: the model has no trained head for these labels.
        """
        require_free(self.output)
        start_time = time.monotonic()
        schema = read_schema(self.dataset)
        model = task_of(schema).load_model(self.model, schema, trained_head=True)
        with self.settings.named_as_written():
            trainer = self._make_trainer(model, self.settings.to_hugging_face(self._work_dir()))
        metrics = self._metrics(trainer)
        with publishing(self.output) as staging:
            save_model(trainer.model, trainer.processing_class, staging)
            source = Model(self.model)
            if source.recipe_path.is_file():
                shutil.copyfile(source.recipe_path, Model(staging).recipe_path)
            Model(staging).write_metrics(metrics)
            seconds, log_history = time.monotonic() - start_time, source.log_history()
            RunRecord(step=self.step, seconds=seconds, metrics=metrics, log_history=log_history).write(staging)
        return metrics

    def _work_dir(self) -> Path:
        """Folder of this run's checkpoints: the same for the same inputs, so that a killed run finds its own."""
        inputs = [
            self.model,
            self.dataset,
            self.teacher,
            self.recipe.to_yaml(),
            repr(self.settings),
            self.stop_epoch,
            self.use_teacher_tokenizer,
        ]
        return cache_root() / "checkpoints" / f"{self.step}-{identity(__version__, *inputs)[:32]}"

    def _trainer(self, work_dir: Path) -> Trainer:
        """A trainer that follows the recipe."""
        schema = read_schema(self.dataset)
        task = task_of(schema)
        arguments = self.settings.to_hugging_face(work_dir)
        if arguments.load_best_model_at_end and self.recipe.changes_model:
            raise ConfigError(
                "training_arguments: load_best_model_at_end would bring back weights from before they were pruned or "
                f"quantized, which usually score best; leave it out of {self.step}"
            )
        if arguments.save_strategy == "best" and self.stop_epoch is not None:
            raise ConfigError(
                f"training_arguments: save_strategy best may keep no checkpoint of where {self.step} ends, from which "
                "qat_finalize goes on; use epoch, steps or no"
            )
        transformers.set_seed(arguments.seed)  # before the head is made
        model = task.load_model(self.model, schema)
        self.recipe.require_fit(model)  # here, and not after the teacher has run
        teacher: dict[str, Any] = {}
        if self.teacher is None or not self.recipe.needs_teacher:
            self._log_unused_teacher()
        else:
            teacher = teacher_rows(
                task,
                model,
                self.model,
                self.teacher,
                self.dataset,
                self.settings.max_seq_length,
                use_teacher_tokenizer=self.use_teacher_tokenizer,
            )
            teacher["teacher"] = task.load_model(self.teacher, schema, trained_head=True, setting="teacher")
        self._require_room(work_dir, model)
        return self._make_trainer(model, arguments, recipe=self.recipe, **teacher)

    def _log_unused_teacher(self) -> None:
        if self.teacher is not None:
            logger.info("teacher: not used, because nothing in the recipe learns from a teacher")
        if self.use_teacher_tokenizer:
            logger.info("use_teacher_tokenizer has no effect: nothing is distilled")

    def _make_trainer(
        self, model: transformers.PreTrainedModel, arguments: TrainingArguments, **further: Any
    ) -> Trainer:
        task = task_of(read_schema(self.dataset))
        tokenizer = task.load_tokenizer(self.model)
        train, validation = (
            task.load_split(self.dataset, split, tokenizer, self.settings.max_seq_length)
            for split in ("train", "validation")
        )
        return task_trainer(
            task,
            model,
            tokenizer,
            arguments,
            train=train,
            evaluation=validation,
            examples=read_examples(self.dataset, "validation"),
            stop_epoch=self.stop_epoch,
            **further,
        )

    def _require_room(self, work_dir: Path, model: transformers.PreTrainedModel) -> None:
        weight_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
        checkpoint_bytes = weight_bytes * _CHECKPOINT_WEIGHT_COPIES
        require_room(work_dir, checkpoint_bytes * _CHECKPOINTS_ON_DISK, f"{self.step} with its checkpoints")
        require_room(self.output.parent, weight_bytes + checkpoint_bytes, f"the output of {self.step}")

    def _metrics(self, trainer: Trainer) -> dict[str, float]:
        scores = {**(scores_of_last_step(trainer) or trainer.evaluate()), **self._mismatched_scores(trainer)}
        metrics = {k: float(v) for k, v in scores.items() if k.startswith("eval_") and not k.endswith(TIMING_SUFFIXES)}
        _require_finite(self.step, metrics)
        report = sparsity_report(trainer.model)
        return {**metrics, "encoder_sparsity": report.encoder, "model_sparsity": report.model}

    def _mismatched_scores(self, trainer: Trainer) -> dict[str, float]:
        """Scores of MNLI's second validation split, as `eval_mismatched_...`; empty where there is none."""
        schema = read_schema(self.dataset)
        split = f"validation_{_MISMATCHED}"
        if split not in schema.num_rows:
            return {}
        task = task_of(schema)
        rows = task.load_split(self.dataset, split, trainer.processing_class, self.settings.max_seq_length)
        return evaluate_on(trainer, task, _MISMATCHED, rows, read_examples(self.dataset, split))


def _require_finite(step: str, metrics: dict[str, float]) -> None:
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise ModelError(
                f"{step}: {name} is {value} after the training, so it has diverged; lower the learning rate or check "
                "the model"
            )


def save_model(model: transformers.PreTrainedModel, tokenizer: Any, directory: Path) -> None:
    """Writes `model` and `tokenizer` as a plain Hugging Face directory, safetensors only."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.0)  # a masked negative weight is -0.0: equal to zero, but its bytes do not compress
    model.save_pretrained(directory)
    save_tokenizer(tokenizer, directory)
