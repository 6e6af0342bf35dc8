"""A training command: from its flags to a training job, and from the job to the files in --output_dir."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from transformers.trainer import TRAINER_STATE_NAME

from sparse_core.artifacts.dataset import read_schema
from sparse_core.cli.sparseml.arguments import LONGEST_DEFAULT
from sparse_core.cli.sparseml.contents import contents_of
from sparse_core.cli.sparseml.data import data_flags, dataset_directory, task_args
from sparse_core.cli.sparseml.models import student_directory, teacher_directory
from sparse_core.cli.sparseml.parser import Arguments
from sparse_core.errors import ConfigError, DataError, renamed_settings
from sparse_core.export.samples import write_samples
from sparse_core.recipe import Recipe, load_recipe
from sparse_core.store import locked
from sparse_core.tasks import get_task, task_class, task_of
from sparse_core.tasks.predicted import Predicted
from sparse_core.tasks.rows import UNLABELLED_TEST
from sparse_core.training.arguments import TrainingArguments
from sparse_core.training.job import MISMATCHED_SUFFIX, VALIDATION, TrainingJob, TrainingSession, require_finite
from sparse_core.training.output_dir import OutputFolder
from sparse_core.training.teachers import NO_TEACHER, SELF_TEACHER

logger = logging.getLogger(__name__)

_SCRATCH_NAME = ".inputs.partial"
_TEST_SPLITS = {"": ("test", UNLABELLED_TEST), MISMATCHED_SUFFIX: ("test_mismatched", f"{UNLABELLED_TEST}_mismatched")}
"""Suffix of scores and files -> the split with labels, and the one without; the data has one of the two."""
_RENAMED = {
    "model": "model_name_or_path",
    "revision": "model_revision",
    "teacher": "distill_teacher",
    "checkpoints": "output_dir",
    "output": "output_dir",
}
"""Settings of the library -> the flags that decide them, where the names differ."""
_INPUT_FLAGS = (
    *("model_name_or_path", "config_name", "tokenizer_name", "distill_teacher"),
    *("recipe", "resume_from_checkpoint", "train_file", "validation_file", "test_file"),
)
"""Flags that may name output_dir, or something in it."""
_NO_EFFECT_ON_WEIGHTS = (
    *("overwrite_cache", "preprocessing_num_workers", "num_export_samples", "cache_dir"),
    *("use_auth_token", "use_fast_tokenizer", "test_file", "max_predict_samples"),
)
_DECIDES_WEIGHTS = (
    *("seed", "data_seed", "num_train_epochs", "max_steps"),
    *("per_device_train_batch_size", "gradient_accumulation_steps", "dataloader_drop_last", "train_sampling_strategy"),
    *("learning_rate", "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps"),
    *("optim", "optim_args", "optim_target_modules", "adam_beta1", "adam_beta2", "adam_epsilon"),
    *("weight_decay", "max_grad_norm", "label_smoothing_factor", "neftune_noise_alpha", "bf16", "fp16"),
    *("load_best_model_at_end", "best_model_after_epoch", "metric_for_best_model", "greater_is_better"),
)
"""Training flags that decide the weights. The others say what is logged, saved and measured, and on which device."""


def run_command(arguments: Arguments) -> dict[str, float]:
    """Trains, evaluates and predicts as the flags say, and writes everything to --output_dir.

    Returns:
        All metrics, as in `all_results.json`.

    Raises:
        SparseCoreError: flags, data, model and recipe cannot be used together; its setting is the flag.
    """
    with renamed_settings(flag_naming(arguments)):
        _require_something_to_do(arguments)
        get_task(arguments.command.task, task_args(arguments.command, arguments.data))
        recipe, overruled = _recipe(arguments)
        path = Path(arguments.training.output_dir)
        folder = OutputFolder(
            path,
            arguments.command.task,
            settings_of(arguments, overruled),
            overwrites=arguments.training.overwrite_output_dir,
            inputs=_inputs_of(arguments),
            settings_file=arguments.file,
        )
        with locked(path):
            resume = arguments.training.resume_from_checkpoint
            checkpoint = folder.find_checkpoint(resume) if arguments.training.do_train else None
            with _scratch(path) as scratch:
                return _Command(arguments, recipe, folder, scratch).run(checkpoint)


def flag_naming(arguments: Arguments) -> Callable[[str], str]:
    """From the library's name of a setting to the flag of this command; names that are no flag stay."""
    data = data_flags(arguments.command, arguments.data)
    parts = (arguments.model, arguments.data, arguments.recipe, arguments.training)
    flags = {field.name for part in parts for field in fields(part)}

    def naming(name: str) -> str:
        first, _, option = name.partition(".")
        if first == "task_args" and option in flags:
            first, option = option, ""
        flag = _RENAMED.get(first) or data.get(first, first)
        if flag not in flags:
            return name
        return f"--{flag}: {option}" if option else f"--{flag}"

    return naming


def settings_of(arguments: Arguments, overruled: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The flags that decide the result of a training, as JSON values by name.

    Args:
        arguments: of the command.
        overruled: flags that have no effect, because the recipe decides.
    """
    parts = {**asdict(arguments.model), **asdict(arguments.data), **asdict(arguments.recipe)}
    training = arguments.training.to_dict()
    settings = {
        **{name: value for name, value in parts.items() if name not in _NO_EFFECT_ON_WEIGHTS},
        **{name: training[name] for name in _DECIDES_WEIGHTS if name not in overruled},
    }
    return json.loads(json.dumps(settings))


def _inputs_of(arguments: Arguments) -> dict[str, str]:
    parts = (arguments.model, arguments.data, arguments.recipe, arguments.training)
    values = {name: value for part in parts for name in _INPUT_FLAGS if (value := getattr(part, name, None))}
    return {name: value for name, value in values.items() if value not in (SELF_TEACHER, NO_TEACHER)}


@contextmanager
def _scratch(output_dir: Path) -> Iterator[Path]:
    """A folder for models that are assembled from several sources; it is removed at the end."""
    scratch = output_dir / _SCRATCH_NAME
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _require_something_to_do(arguments: Arguments) -> None:
    training, recipe = arguments.training, arguments.recipe
    if recipe.one_shot:
        raise ConfigError(
            "one_shot", "a recipe cannot be applied without training yet", fix="train with it, for one epoch or more"
        )
    if not (training.do_train or training.do_eval or training.do_predict or arguments.data.num_export_samples):
        raise ConfigError("do_train", "nothing to do", fix="give --do_train, --do_eval or --do_predict")
    if training.do_predict and not task_class(arguments.command.task).prediction_files:
        raise ConfigError(
            "do_predict", f"{arguments.command.task} has nothing to predict", fix="use --do_eval for its scores"
        )
    if recipe.recipe is None and recipe.recipe_args is not None:
        raise ConfigError("recipe_args", "is given without --recipe, whose variables it sets", fix="give --recipe")
    if training.world_size > 1:
        raise ConfigError(
            "WORLD_SIZE",
            f"{training.world_size} processes were started, but a command trains in one",
            fix="start it without a launcher",
        )
    if arguments.data.preprocessing_num_workers is not None:
        logger.info("--preprocessing_num_workers: the number of processes follows rows and cores here")
    if not arguments.model.use_fast_tokenizer:
        logger.warning("--use_fast_tokenizer false has no effect: tokenizers are always fast ones")


def _recipe(arguments: Arguments) -> tuple[Recipe | None, frozenset[str]]:
    """The recipe, and the flags that have no effect beside it."""
    if arguments.recipe.recipe is None:
        return None, frozenset()
    recipe = load_recipe(arguments.recipe.recipe, arguments.recipe.recipe_args)
    overruled = {"num_train_epochs": "the number of epochs"}
    if recipe.learning_rate_at(0.0) is not None:
        overruled |= dict.fromkeys(("learning_rate", "lr_scheduler_type", "warmup_steps"), "the learning rate")
    for name, what in overruled.items():
        if name in arguments.user_flags:
            logger.warning("--%s has no effect: the recipe decides %s", name, what)
    return recipe, frozenset(overruled)


class _Command:
    """A command at work."""

    def __init__(self, arguments: Arguments, recipe: Recipe | None, folder: OutputFolder, scratch: Path) -> None:
        self.arguments, self.recipe, self.folder, self.scratch = arguments, recipe, folder, scratch
        self.training: TrainingArguments = arguments.training
        self.model = student_directory(arguments, scratch)

    def run(self, checkpoint: Path | None) -> dict[str, float]:
        """Does what the flags say; all metrics."""
        training, session = self.training, self.session
        if training.do_train:
            self.folder.require_same_contents(self.contents)
        with self._hub_errors():
            session.trainer  # noqa: B018  # loads what the job needs, so that its errors come before the training
        test_splits = self._test_splits() if training.do_predict else {}
        results: dict[str, float] = {}
        if training.do_train:
            self.folder.start(self.contents)
            results |= self._train(checkpoint)
        elif training.do_eval:
            results |= self._report("eval", session.evaluate())
        if training.do_predict:
            results |= self._predict(test_splits)
        if self.arguments.data.num_export_samples:
            self._write_samples()
        return results

    # --- inputs -----------------------------------------------------------------------------------------------------

    @cached_property
    def dataset(self) -> Path:
        """The dataset artifact."""
        return dataset_directory(
            self.arguments.command, self.arguments.data, trains=self.training.do_train, evaluates=self._evaluates
        )

    @property
    def _evaluates(self) -> bool:
        return self.training.do_eval or self.arguments.data.num_export_samples > 0

    @cached_property
    def teacher(self) -> Path | str | None:
        """The teacher's folder, "self" or "disable"; None: no teacher is named."""
        name = self.arguments.recipe.distill_teacher
        is_distilled = self.recipe is not None and self.recipe.needs_teacher
        if name in (None, NO_TEACHER, SELF_TEACHER) or not is_distilled:
            return name
        return teacher_directory(self.arguments, self.scratch)

    @cached_property
    def contents(self) -> dict[str, str]:
        """Flag -> identity of the files that it names."""
        teacher = self.teacher if isinstance(self.teacher, Path) else None
        return contents_of(self.arguments, model=self.model, teacher=teacher, dataset=self.dataset, recipe=self.recipe)

    @cached_property
    def session(self) -> TrainingSession:
        """The training job of the flags."""
        arguments = self.arguments
        with renamed_settings({"dataset": "train_file"}):
            tokenizer = task_of(read_schema(self.dataset)).load_tokenizer(self.model)
        return TrainingSession(
            TrainingJob(
                name=arguments.command.task,
                model=self.model,
                dataset=self.dataset,
                arguments=self.training,
                max_seq_length=_max_seq_length(arguments.data.max_seq_length, tokenizer.model_max_length),
                recipe=self.recipe,
                teacher=self.teacher,
                use_teacher_tokenizer=arguments.model.use_teacher_tokenizer,
                trains=self.training.do_train,
                evaluates=self._evaluates,
                pad_to_max_length=arguments.data.pad_to_max_length,
            )
        )

    def _test_splits(self) -> dict[str, str]:
        """Suffix -> split to predict. It is read before the training, so that missing test rows show at once.

        Raises:
            DataError: there is none.
        """
        present = self.session.schema.num_rows
        splits = {suffix: split for suffix, names in _TEST_SPLITS.items() for split in names if split in present}
        if "" not in splits:
            instead = "" if self.arguments.data.train_file else ", and all rows as files in place of the data set"
            raise DataError("do_predict", "the data has no test rows", fix=f"give them with --test_file{instead}")
        return splits

    # --- work -------------------------------------------------------------------------------------------------------

    @contextmanager
    def _hub_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self.training.push_to_hub:
                raise
            raise ConfigError("push_to_hub", " ".join(str(error).split())) from None

    def _train(self, checkpoint: Path | None) -> dict[str, float]:
        """Trains, evaluates if the flags ask for it, and publishes the model if its scores are finite."""
        session, trainer = self.session, self.session.trainer
        with self._hub_errors():
            metrics = session.train(checkpoint)
        require_finite(metrics)
        scores = session.evaluate() if self.training.do_eval else {}
        log_history = trainer.state.log_history
        with self.folder.publishing_model(metrics=scores, log_history=log_history) as directory:
            session.save(directory)
        trainer.save_state()
        if checkpoint is not None and _step_of(checkpoint) == trainer.state.global_step:
            logger.info("the training was complete before; train_results.json stays as it is")
            results: dict[str, float] = {}
        else:
            results = self._report("train", metrics)
        return results | (self._report("eval", scores) if scores else {})

    def _predict(self, splits: dict[str, str]) -> dict[str, float]:
        session, task_name = self.session, getattr(self.arguments.data, "task_name", None) or ""
        metrics: dict[str, float] = {}
        for suffix, split in splits.items():
            rows, examples, predictions = session.rows(split), session.examples(split), session.predict(split)
            name = task_name + suffix.replace("_", "-" if task_name else "")
            predicted = Predicted(predictions, rows, examples, session.schema, session.tokenizer)
            path = session.task.write_predictions(self.folder.path, name, predicted)
            logger.info("predictions for %d rows are in %s", len(examples), path)
            scores = {} if split.startswith(UNLABELLED_TEST) else session.task.score(predictions, rows, examples)
            metrics |= {f"predict_{score}{suffix}": value for score, value in scores.items()}
            metrics[f"predict_samples{suffix}"] = len(examples)
        require_finite(metrics)
        return self._report("predict", metrics)

    def _write_samples(self) -> None:
        session = self.session
        rows = session.rows(VALIDATION)
        rows = rows.select(range(min(self.arguments.data.num_export_samples, len(rows))))
        collator = session.task.collator(session.tokenizer)
        write_samples(self.folder.path, session.trainer.model, session.task, rows, collator)

    def _report(self, split: str, metrics: dict[str, float]) -> dict[str, float]:
        self.session.trainer.log_metrics(split, metrics)
        self.folder.write_results(split, metrics)
        return metrics


def _max_seq_length(wanted: int | None, longest: int) -> int:
    """The smaller of the user's length and the model's."""
    if wanted is None:
        return min(longest, LONGEST_DEFAULT)
    if wanted > longest:
        logger.warning("max_seq_length: %d tokens are more than the model can read; taken as %d", wanted, longest)
    return min(wanted, longest)


def _step_of(checkpoint: Path) -> int:
    """Optimizer steps taken when the checkpoint was written."""
    state = json.loads((checkpoint / TRAINER_STATE_NAME).read_text(encoding="utf-8"))
    return int(state["global_step"])
