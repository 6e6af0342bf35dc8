"""The output_dir of a training command: one folder for checkpoints, model and scores, run after run.

A step publishes a new artifact; a command trains into a folder that may hold an earlier run. The folder's run record
says what made its content, so that a later command continues that run, refuses, or starts over.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers.trainer import TRAINER_STATE_NAME

from sparse_core.artifacts.model import CONFIG_NAME, is_model_file, is_weight_file
from sparse_core.artifacts.record import RunRecord
from sparse_core.artifacts.samples import INPUTS_FOLDER, OUTPUTS_FOLDER
from sparse_core.errors import ArtifactError, ConfigError, OutputError, Setting, plain
from sparse_core.store import MANIFEST_NAME, publishing_into, write_json
from sparse_core.tasks import TASKS, task_class
from sparse_core.training.checkpoints import last_whole_checkpoint

logger = logging.getLogger(__name__)

_ALL_RESULTS_NAME = "all_results.json"
_OTHER_FILES = {
    *(TRAINER_STATE_NAME, INPUTS_FOLDER, OUTPUTS_FOLDER),
    *(_ALL_RESULTS_NAME, "train_results.json", "eval_results.json", "predict_results.json"),
}
"""What a command writes besides the model, the checkpoints, the predictions and the run record."""
_CHECKPOINT = r"(cut-short-)?checkpoint-\d+"
_TEMPORARY = re.compile(r"\.lock|\..*\.partial")
_START_OVER = ("start over with ", Setting("overwrite_output_dir"), ", or name another folder")
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class OutputFolder:
    """An output_dir, and the run that writes into it.

    Attributes:
        path: the folder.
        command: name of the command.
        settings: the settings that decide the result, as JSON values.
        overwrites: what earlier runs wrote is removed.
        inputs: setting -> what it names, for settings that may name the folder or something in it.
        settings_file: the file that the settings came from; it may lie in the folder.
    """

    path: Path
    command: str
    settings: Mapping[str, Any]
    overwrites: bool = False
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings_file: Path | None = None

    # --- before the training ----------------------------------------------------------------------------------------

    def find_checkpoint(self, resume: str | None) -> Path | None:
        """The checkpoint to continue from; None starts from the beginning. Changes nothing.

        Args:
            resume: a checkpoint folder, "true" or "false"; None: the last whole checkpoint, if there is one.

        Raises:
            ConfigError: `resume` names no checkpoint.
            OutputError: the folder holds something else than a run with these settings, or something that another
                setting names and the command would remove.
        """
        self._require_inputs_stay()
        record = self._record()
        if not self.overwrites:
            if record is None and self._holds_something():
                raise OutputError(
                    "output_dir",
                    f"{self.path} is not empty, and no training command has written it",
                    fix=_START_OVER,
                )
            if record is not None and self._has_result():
                self._require_same(record.step, self.command, "the command")
                for name, value in self.settings.items():
                    self._require_same(record.settings.get(name), value, name)
        return self._checkpoint(resume)

    def require_same_contents(self, contents: Mapping[str, str]) -> None:
        """Refuses to continue with inputs that have changed since the earlier run.

        Args:
            contents: setting -> identity of what it names.

        Raises:
            OutputError: the folder holds a run with other contents.
        """
        record = None if self.overwrites else self._record()
        if record is None or not self._has_result():
            return
        for name, value in contents.items():
            if record.contents.get(name) != value:
                raise OutputError(
                    "output_dir",
                    (f"{self.path} holds a run with another content of ", Setting(name)),
                    fix=_START_OVER,
                )

    def start(self, contents: Mapping[str, str]) -> None:
        """Records the inputs of the run; a run that starts over first removes the earlier result.

        config.json goes first, because without it nothing is taken for a model, and the earlier record is replaced
        last: after a kill in between, a command continues what is left of the earlier run, starts over, or refuses.

        Args:
            contents: setting -> identity of what it names.
        """
        if self.overwrites or not self._has_result():
            for path in self._written():
                if not self.overwrites and re.fullmatch(_CHECKPOINT, path.name):
                    continue  # it was cut short, or another Trainer wrote it
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        RunRecord(step=self.command, settings=dict(self.settings), contents=dict(contents)).write(self.path, files=())

    # --- after the training -----------------------------------------------------------------------------------------

    @contextmanager
    def publishing_model(self, **results: Any) -> Iterator[Path]:
        """Yields an empty folder whose files become the model of the output_dir; the record follows them.

        Args:
            results: fields of the run record: `metrics`, `log_history`, `seconds`.
        """
        with publishing_into(self.path, last=CONFIG_NAME, outdated=is_weight_file) as staging:
            yield staging
            names = sorted(file.name for file in staging.iterdir())
        record = self._record()
        assert record is not None
        record.model_copy(update=results).write(self.path, files=names)

    def write_results(self, split: str, metrics: Mapping[str, float]) -> None:
        """Writes `<split>_results.json`, and adds the metrics to `all_results.json`.

        Args:
            split: "train", "eval" or "predict".
            metrics: by name; a number that is not finite becomes null.
        """
        all_results = self.path / _ALL_RESULTS_NAME
        try:
            earlier = json.loads(all_results.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            earlier = {}
        finite = {name: value if math.isfinite(value) else None for name, value in metrics.items()}
        write_json(self.path / f"{split}_results.json", finite)
        write_json(all_results, {**earlier, **finite})

    # --- what is there ----------------------------------------------------------------------------------------------

    def _record(self) -> RunRecord | None:
        """The record of an earlier command; None where there is none.

        Raises:
            OutputError: there is a file of that name that no training command has written.
        """
        path = self.path / MANIFEST_NAME
        if not path.exists():
            return None
        with suppress(ArtifactError):
            record = RunRecord.read(self.path)
            if record is not None and record.contents:
                return record
        raise OutputError(
            "output_dir",
            f"no training command has written {path}, and commands keep their record by that name",
            fix="rename it, or name another folder",
        )

    def _checkpoint(self, resume: str | None) -> Path | None:
        if resume is not None and resume.lower() == "false":
            return None
        if resume is not None and resume.lower() != "true":
            checkpoint = Path(resume).expanduser()
            if not checkpoint.is_dir():
                raise ConfigError("resume_from_checkpoint", accepted="a checkpoint-N folder", got=resume)
            return checkpoint
        last = None if self.overwrites else last_whole_checkpoint(self.path)
        if last is None and resume is not None:
            raise ConfigError("resume_from_checkpoint", f"{self.path} has no whole checkpoint", fix="leave it out")
        if last is not None:
            logger.info("an earlier run continues from %s; --overwrite_output_dir starts over", last)
        return last

    def _has_result(self) -> bool:
        """Whether an earlier run left a model or a whole checkpoint."""
        return (self.path / CONFIG_NAME).exists() or last_whole_checkpoint(self.path) is not None

    def _holds_something(self) -> bool:
        """Whether the folder holds more than this command's own lock, temporary files and file of settings."""
        own = None if self.settings_file is None else self.settings_file.resolve()
        return any(not _TEMPORARY.fullmatch(entry.name) and entry.resolve() != own for entry in self.path.iterdir())

    def _written(self) -> list[Path]:
        """The entries that training commands wrote into the folder, in the order of their removal."""
        written = [path for path in self.path.iterdir() if _is_written(path.name)]
        return sorted(
            written,
            key=lambda path: (path.name != CONFIG_NAME, not re.fullmatch(_CHECKPOINT, path.name), path.name),
        )

    def _require_same(self, earlier: Any, now: Any, name: str) -> None:
        if earlier == now:
            return
        what: tuple[str | Setting, ...] = (name,) if name == "the command" else (Setting(name),)
        if max(len(repr(earlier)), len(repr(now))) > _LONGEST_SHOWN:
            difference: tuple[str | Setting, ...] = ("with another ", *what)
        elif earlier is None:
            difference = ("without ", *what, f", which is {plain(now)} now")
        else:
            current = "not given" if now is None else plain(now)
            difference = ("with ", *what, f" {plain(earlier)}, which is {current} now")
        raise OutputError("output_dir", (f"{self.path} holds a run ", *difference), fix=_START_OVER)

    def _require_inputs_stay(self) -> None:
        """Refuses to remove or replace files that the settings name or that they came from."""
        folder, file = self.path.resolve(), self.settings_file
        is_beside = file is not None and file.resolve().parent == folder
        if file is not None and is_beside and (file.name == MANIFEST_NAME or _is_written(file.name)):
            raise OutputError(
                "output_dir",
                f"{file}, which holds the settings, has a name that the command writes",
                fix="rename it, or name another folder",
            )
        removed = self._written() if self.overwrites else []
        for name, value in self.inputs.items():
            path = Path(os.path.realpath(os.path.expanduser(value)))
            if (path == folder and removed) or any(path.is_relative_to(folder / entry.name) for entry in removed):
                raise OutputError(
                    "overwrite_output_dir",
                    (f"would remove {value}, which ", Setting(name), " names"),
                    fix=("name another ", Setting("output_dir")),
                )


def _is_written(name: str) -> bool:
    patterns = (_CHECKPOINT, *(task_class(task).prediction_files for task in TASKS))
    return is_model_file(name) or name in _OTHER_FILES or any(re.fullmatch(pattern, name) for pattern in patterns)
