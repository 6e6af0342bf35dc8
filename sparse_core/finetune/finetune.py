"""A training command from its arguments to its results."""

from __future__ import annotations

import json
import logging
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import transformers
from transformers.trainer import TRAINER_STATE_NAME

from sparse_core.artifacts.recipe import RECIPE_NAME
from sparse_core.errors import ConfigError, DataError
from sparse_core.finetune.arguments import DISABLE_TEACHER, LONGEST_DEFAULT, SELF_TEACHER
from sparse_core.finetune.command_line import named_as_flags
from sparse_core.finetune.contents import contents_of
from sparse_core.finetune.data import dataset_directory, flags_of, task_args
from sparse_core.finetune.models import student_directory, teacher_directory
from sparse_core.finetune.output import (
    begin,
    checkpoint_to_resume,
    published,
    require_same_contents,
    write_results,
)
from sparse_core.finetune.predictions import write_predictions
from sparse_core.finetune.samples import write_samples
from sparse_core.recipe import Recipe, load_recipe
from sparse_core.store import locked
from sparse_core.tasks import get_task, read_examples, read_schema, task_of
from sparse_core.tasks.inference import predict, torch_forward
from sparse_core.tasks.rows import UNLABELLED_TEST
from sparse_core.training.arguments import TrainingArguments
from sparse_core.training.assembly import evaluate_on, scores_of_last_step, task_trainer
from sparse_core.training.run import save_model
from sparse_core.training.teachers import teacher_rows

if TYPE_CHECKING:
    from datasets import Dataset

    from sparse_core.finetune.command_line import Arguments
    from sparse_core.tasks import DatasetSchema, Task
    from sparse_core.training.trainer import Trainer

logger = logging.getLogger(__name__)

_SCRATCH_NAME = ".inputs.partial"
_EVALUATED = "validation"
_MISMATCHED = "validation_mismatched"
_MISMATCHED_SUFFIX = "_mm"
"""MNLI's second validation split, and how scores of its second splits were marked in SparseML."""
_TESTED = {"": ("test", UNLABELLED_TEST), _MISMATCHED_SUFFIX: ("test_mismatched", f"{UNLABELLED_TEST}_mismatched")}
"""Mark of scores and files -> the split with labels, and the one without, of which the data has one."""
_SETTINGS = {
    "model": "model_name_or_path",
    "revision": "model_revision",
    "teacher": "distill_teacher",
    "checkpoints": "output_dir",
    "output": "output_dir",
    "output_dir": "output_dir",
    **{name: name for name in ("distill_teacher", "recipe", "recipe_args", "max_seq_length")},
    **{field.name: field.name for field in fields(TrainingArguments)},
}
"""Settings that the library's errors name -> the flag that decides each."""


def finetune(arguments: Arguments) -> dict[str, float]:
    """Trains, evaluates and predicts, as the flags say; everything lands in --output_dir.

    Returns:
        All metrics, as in `all_results.json`.

    Raises:
        SparseCoreError: flags, data, model and recipe cannot be used together; the message names the flag.
    """
    with named_as_flags(_SETTINGS | flags_of(arguments.data)):
        _require_something_to_do(arguments)
        get_task(arguments.command.task, task_args(arguments.command, arguments.data))
        recipe = _recipe(arguments)
        output_dir = Path(arguments.training.output_dir)
        with locked(output_dir):
            checkpoint = checkpoint_to_resume(arguments) if arguments.training.do_train else None
            scratch = output_dir / _SCRATCH_NAME
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            try:
                inputs = _Inputs(arguments, recipe, student_directory(arguments, scratch), scratch)
                return _run(inputs, checkpoint)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)


def _require_something_to_do(arguments: Arguments) -> None:
    training, recipe = arguments.training, arguments.recipe
    if recipe.one_shot:
        raise ConfigError(
            "--one_shot: a recipe is not applied without training yet; train with it, for one epoch or more"
        )
    if not (training.do_train or training.do_eval or training.do_predict or arguments.data.num_export_samples):
        raise ConfigError("--do_train, --do_eval, --do_predict: none is given, so there is nothing to do")
    if training.do_predict and arguments.command.task == "masked_language_modeling":
        raise ConfigError("--do_predict: masked_language_modeling has nothing to predict; use --do_eval for its scores")
    if recipe.recipe is None and recipe.recipe_args is not None:
        raise ConfigError("--recipe_args: given without --recipe, whose variables they would be")
    if training.world_size > 1:
        raise ConfigError(
            f"WORLD_SIZE: {training.world_size} processes were started, but a command trains in one; start it "
            "without a launcher"
        )
    if arguments.data.preprocessing_num_workers is not None:
        logger.info("--preprocessing_num_workers: the number of processes follows rows and cores here")
    if not arguments.model.use_fast_tokenizer:
        logger.warning("--use_fast_tokenizer false has no effect: tokenizers are always fast ones")


def _recipe(arguments: Arguments) -> Recipe | None:
    if arguments.recipe.recipe is None:
        return None
    recipe = load_recipe(arguments.recipe.recipe, arguments.recipe.recipe_args)
    overruled = {"num_train_epochs": "the number of epochs"}
    if recipe.learning_rate_at(0.0) is not None:
        overruled |= {name: "the learning rate" for name in ("learning_rate", "lr_scheduler_type", "warmup_steps")}
    for name, what in overruled.items():
        if name in arguments.given:
            logger.warning("--%s has no effect: the recipe says %s", name, what)
    return recipe


@dataclass(frozen=True)
class _Inputs:
    """What a command works on; each part is loaded when it is first asked for."""

    arguments: Arguments
    recipe: Recipe | None
    model: Path
    scratch: Path

    @property
    def is_distilled(self) -> bool:
        """Whether the recipe asks for a teacher."""
        return self.recipe is not None and self.recipe.needs_teacher

    @cached_property
    def teacher(self) -> Path | None:
        """The teacher's directory; None where there is no teacher, or none of its own."""
        is_own = self.arguments.recipe.distill_teacher not in (None, DISABLE_TEACHER, SELF_TEACHER)
        return teacher_directory(self.arguments, self.scratch) if is_own and self.is_distilled else None

    @cached_property
    def contents(self) -> dict[str, str]:
        """Flag -> fingerprint of the files that it names."""
        return contents_of(
            self.arguments, model=self.model, teacher=self.teacher, dataset=self.dataset, recipe=self.recipe
        )

    @cached_property
    def dataset(self) -> Path:
        """The Dataset artifact."""
        training = self.arguments.training
        evaluates = training.do_eval or self.arguments.data.num_export_samples > 0
        return dataset_directory(
            self.arguments.command, self.arguments.data, trains=training.do_train, evaluates=evaluates
        )

    @cached_property
    def schema(self) -> DatasetSchema:
        """What the data is."""
        return read_schema(self.dataset)

    @cached_property
    def task(self) -> Task:
        """The task, with the user's options and those that the data decided."""
        return task_of(self.schema)

    @cached_property
    def tokenizer(self) -> Any:
        """Of the model."""
        return self.task.load_tokenizer(self.model)

    @cached_property
    def max_seq_length(self) -> int:
        """The user's, or what the model can read where that is less."""
        wanted, longest = self.arguments.data.max_seq_length, self.tokenizer.model_max_length
        if wanted is None:
            return min(longest, LONGEST_DEFAULT)
        if wanted > longest:
            logger.warning("max_seq_length: %d tokens are more than the model can read; taken as %d", wanted, longest)
        return min(wanted, longest)

    @property
    def pad_to(self) -> int | None:
        """Tokens to pad to."""
        return self.max_seq_length if self.arguments.data.pad_to_max_length else None

    def rows(self, split: str) -> Dataset:
        """Tokenized rows of a split."""
        return self.task.load_split(self.dataset, split, self.tokenizer, self.max_seq_length)

    def examples(self, split: str) -> Dataset:
        """Rows of a split before tokenization."""
        return read_examples(self.dataset, split)


def _run(inputs: _Inputs, checkpoint: Path | None) -> dict[str, float]:
    training = inputs.arguments.training
    output_dir = Path(training.output_dir)
    if training.do_train:
        require_same_contents(inputs.arguments, inputs.contents)
    transformers.set_seed(training.seed)  # before the head is made
    model = inputs.task.load_model(
        inputs.model, inputs.schema, trained_head=not training.do_train, setting="--model_name_or_path"
    )
    num_samples = inputs.arguments.data.num_export_samples
    evaluation = inputs.rows(_EVALUATED) if training.do_eval or num_samples else None
    train = inputs.rows("train") if training.do_train else None
    further = _recipe_arguments(inputs, model) if training.do_train else {}
    with _hub_errors(training):
        trainer = task_trainer(
            inputs.task,
            model,
            inputs.tokenizer,
            training,
            train=train,
            evaluation=evaluation,
            examples=None if evaluation is None else inputs.examples(_EVALUATED),
            pad_to=inputs.pad_to,
            **further,
        )
    test_splits = _test_splits(inputs) if training.do_predict else {}
    results: dict[str, float] = {}
    if training.do_train:
        begin(inputs.arguments, inputs.contents)
        results |= _train(trainer, inputs, checkpoint)
    if training.do_eval:
        results |= _evaluate(trainer, inputs)
    if training.do_predict:
        results |= _predict(trainer, inputs, test_splits)
    if num_samples and evaluation is not None:
        rows = evaluation.select(range(min(num_samples, len(evaluation))))
        write_samples(output_dir, trainer.model, inputs.task, rows, inputs.task.collator(inputs.tokenizer))
    return results


@contextmanager
def _hub_errors(training: transformers.TrainingArguments) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not training.push_to_hub:
            raise
        raise ConfigError(f"--push_to_hub: {' '.join(str(error).split())}") from None


def _recipe_arguments(inputs: _Inputs, model: transformers.PreTrainedModel) -> dict[str, Any]:
    """The Trainer's arguments about the recipe and the teacher."""
    arguments = inputs.arguments
    name = arguments.recipe.distill_teacher
    found: dict[str, Any] = {"recipe": inputs.recipe, "distill_teacher": name}
    if arguments.model.use_teacher_tokenizer and (name in (None, DISABLE_TEACHER) or not inputs.is_distilled):
        logger.info("--use_teacher_tokenizer has no effect: nothing is distilled")
    teacher = inputs.teacher
    if teacher is None:
        return found
    own_tokens = teacher_rows(
        inputs.task,
        model,
        inputs.model,
        teacher,
        inputs.dataset,
        inputs.max_seq_length,
        use_teacher_tokenizer=arguments.model.use_teacher_tokenizer,
    )
    module = inputs.task.load_model(teacher, inputs.schema, trained_head=True, setting="distill_teacher")
    return {**found, **own_tokens, "distill_teacher": module}


def _train(trainer: Trainer, inputs: _Inputs, checkpoint: Path | None) -> dict[str, float]:
    output_dir = Path(trainer.args.output_dir)
    with _hub_errors(trainer.args):
        output = trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    with published(output_dir) as directory:
        save_model(trainer.model, trainer.processing_class, directory)
        if inputs.recipe is not None:
            (directory / RECIPE_NAME).write_text(inputs.recipe.to_yaml(), encoding="utf-8")
    trainer.save_state()
    if checkpoint is not None and _step_of(checkpoint) == trainer.state.global_step:
        logger.info("the training had come to its end before; train_results.json stays as it is")
        return {}
    return _report(trainer, "train", {**output.metrics, "train_samples": len(trainer.train_dataset)})


def _step_of(checkpoint: Path) -> int:
    """Optimizer steps taken when the checkpoint was written."""
    state = json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    return int(state["global_step"])


def _evaluate(trainer: Trainer, inputs: _Inputs) -> dict[str, float]:
    known = scores_of_last_step(trainer) if trainer.args.do_train else {}
    scores = {name: value for name, value in known.items() if name != "step"} or trainer.evaluate()
    scores["eval_samples"] = inputs.schema.num_rows[_EVALUATED]
    if _MISMATCHED in inputs.schema.num_rows:
        rows, examples = inputs.rows(_MISMATCHED), inputs.examples(_MISMATCHED)
        further = evaluate_on(trainer, inputs.task, _MISMATCHED, rows, examples)
        prefix = f"eval_{_MISMATCHED}_"
        scores |= {
            f"eval_{name.removeprefix(prefix)}{_MISMATCHED_SUFFIX}": value
            for name, value in further.items()
            if name.startswith(prefix)
        }
        scores[f"eval_samples{_MISMATCHED_SUFFIX}"] = len(examples)
    return _report(trainer, "eval", scores)


def _test_splits(inputs: _Inputs) -> dict[str, str]:
    """Mark -> split to predict; asked for before the training, which would be in vain without one.

    Raises:
        DataError: there is none.
    """
    found = {mark: split for mark, splits in _TESTED.items() for split in splits if split in inputs.schema.num_rows}
    if "" not in found:
        instead = "" if inputs.arguments.data.train_file else ", and all rows as files in place of the data set"
        raise DataError(f"--do_predict: the data has no test rows; give them with --test_file{instead}")
    return found


def _predict(trainer: Trainer, inputs: _Inputs, splits: dict[str, str]) -> dict[str, float]:
    task, task_name = inputs.task, getattr(inputs.arguments.data, "task_name", None) or ""
    forward = torch_forward(trainer.model, task)
    collator = task.collator(inputs.tokenizer, pad_to=inputs.pad_to)
    found: dict[str, float] = {}
    for mark, split in splits.items():
        rows, examples = inputs.rows(split), inputs.examples(split)
        predictions = predict(forward, task, rows, collator, trainer.args.eval_batch_size)
        name = task_name + mark.replace("_", "-" if task_name else "")
        path = write_predictions(
            Path(trainer.args.output_dir), name, task, inputs.schema, predictions, rows, examples, inputs.tokenizer
        )
        logger.info("predictions for %d rows are in %s", len(examples), path)
        scores = {} if split.startswith(UNLABELLED_TEST) else task.score(predictions, rows, examples)
        found |= {f"predict_{score}{mark}": value for score, value in {**scores, "samples": len(examples)}.items()}
    return _report(trainer, "predict", found)


def _report(trainer: Trainer, split: str, metrics: dict[str, float]) -> dict[str, float]:
    trainer.log_metrics(split, metrics)
    for name, value in metrics.items():
        if not math.isfinite(value):
            logger.warning("%s is %s: the training has diverged, or the model is damaged", name, value)
    write_results(Path(trainer.args.output_dir), split, metrics)
    return metrics
