"""A training step: from artifacts to a model artifact, with its checkpoints in the cache until it is done."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import transformers

from sparse_core import __version__
from sparse_core.artifacts.model import Model
from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ConfigError, ModelError, renamed_settings, settings_inside
from sparse_core.store import cache_root, identity, locked, publishing, require_room
from sparse_core.training.checkpoints import last_whole_checkpoint
from sparse_core.training.job import TrainingJob, TrainingSession, scores_of, sparsity_metrics

_CHECKPOINT_WEIGHT_COPIES = 4  # weights, two Adam moments, and masks as one byte a weight, rounded up
_CHECKPOINTS_ON_DISK = 3  # two kept by save_total_limit, and the one being written


@dataclass(frozen=True)
class StepRun:
    """A training step.

    Attributes:
        job: what to train; its checkpoints go to the folder of `work_folder`.
        output: model artifact to publish.
        user_arguments: names of the training arguments that the user gave, for messages.
        start_checkpoint: whole checkpoint of an earlier step to continue from.
    """

    job: TrainingJob
    output: Path
    user_arguments: frozenset[str] = frozenset()
    start_checkpoint: Path | None = None

    def run(self) -> dict[str, Any]:
        """Trains if the job trains, evaluates on the validation split, publishes the model and returns its metrics.

        A run that was killed continues from its last whole checkpoint.

        Raises:
            SparseCoreError: the inputs do not fit one another, the disk is too full, or the same training runs in
                another process.
        """
        with settings_inside("training_arguments", self.user_arguments):
            if not self.job.trains:
                return self._publish(TrainingSession(self.job), time.monotonic(), None)
            self._require_fit()
            work_folder = Path(self.job.arguments.output_dir)
            with renamed_settings({"output_dir": "output"}), locked(work_folder):
                metrics = self._train(work_folder)
                shutil.rmtree(work_folder)
            return metrics

    def _require_fit(self) -> None:
        arguments, recipe = self.job.arguments, self.job.recipe
        if arguments.load_best_model_at_end and recipe is not None and recipe.changes_model:
            raise ConfigError(
                "load_best_model_at_end",
                "would bring back weights from before they were pruned or quantized, which usually score best",
                fix=f"leave it out of {self.job.name}",
            )
        if arguments.save_strategy == "best" and self.job.stop_epoch is not None:
            raise ConfigError(
                "save_strategy",
                f"best may keep no checkpoint of where {self.job.name} ends, from which qat_finalize continues",
                fix="use epoch, steps or no",
            )

    def _train(self, work_folder: Path) -> dict[str, Any]:
        start_time = time.monotonic()
        session = TrainingSession(self.job)
        self._require_room(work_folder, session.model)
        session.trainer  # noqa: B018  # loads what the job needs, so that its errors come before the training
        session.train(last_whole_checkpoint(work_folder) or self.start_checkpoint)
        return self._publish(session, start_time, self._checkpoint_at_end(session, work_folder))

    def _checkpoint_at_end(self, session: TrainingSession, work_folder: Path) -> Path | None:
        """The checkpoint at which the training stopped; None: it reached the recipe's end.

        Raises:
            ModelError: the training has come neither to stop_epoch nor to the recipe's end, or left no checkpoint.
        """
        name, stop_epoch, trainer = self.job.name, self.job.stop_epoch, session.trainer
        step, max_steps = trainer.state.global_step, trainer.state.max_steps
        is_early = step < max_steps if stop_epoch is None else trainer.epochs_done < stop_epoch
        if is_early:
            raise ModelError(
                "training_arguments",
                f"the training ended at step {step} of {max_steps}, before the end of {name}, so nothing is published",
                fix="leave out of training_arguments what ends it early",
            )
        if stop_epoch is None:
            return None
        checkpoint = last_whole_checkpoint(work_folder)
        if checkpoint is None or checkpoint.name != f"checkpoint-{step}":
            raise ModelError(
                "training_arguments",
                f"the training left no checkpoint of step {step}, its last, from which qat_finalize could continue",
                fix="leave out of training_arguments what decides when checkpoints are written",
            )
        return checkpoint

    def _publish(self, session: TrainingSession, start_time: float, checkpoint: Path | None) -> dict[str, Any]:
        metrics = {**scores_of(session.evaluate()), **sparsity_metrics(session.trainer.model)}
        source = Model(self.job.model)
        with publishing(self.output) as staging:
            artifact = Model(staging)
            session.save(staging)
            if not self.job.trains and source.recipe_path.is_file():
                shutil.copyfile(source.recipe_path, artifact.recipe_path)
            artifact.write_metrics(metrics)
            if checkpoint is not None:
                shutil.copytree(checkpoint, artifact.checkpoint)
            RunRecord(
                step=self.job.name,
                seconds=time.monotonic() - start_time,
                metrics=metrics,
                log_history=session.trainer.state.log_history if self.job.trains else source.log_history(),
            ).write(staging)
        return metrics

    def _require_room(self, work_folder: Path, model: transformers.PreTrainedModel) -> None:
        weight_bytes = sum(p.numel() * p.element_size() for p in model.parameters())
        checkpoint_bytes = weight_bytes * _CHECKPOINT_WEIGHT_COPIES
        require_room(work_folder, checkpoint_bytes * _CHECKPOINTS_ON_DISK, f"{self.job.name} with its checkpoints")
        require_room(self.output.parent, weight_bytes + checkpoint_bytes, f"the output of {self.job.name}")


def work_folder(name: str, *inputs: Path | str | int | float | bool | None) -> Path:
    """Folder of a step's checkpoints: the same for the same inputs, so that a killed run finds its own."""
    return cache_root() / "checkpoints" / f"{name}-{identity(__version__, *inputs)[:32]}"
