"""Finds the splits of the user's data: files, a data set on the hub or on disk, or the data of a named task."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from sparse_core.errors import ConfigError, DataError, Setting, Text, listed
from sparse_core.sources.data.data_file import SUFFIXES, DataFile
from sparse_core.sources.data.glue import NamedTask, named_task, task_on_hub
from sparse_core.sources.data.hub_datasets import is_directory, read_data_set, require_directory
from sparse_core.sources.data.hub_names import locate
from sparse_core.sources.data.rows import RowSource
from sparse_core.sources.data.share import cut
from sparse_core.store import is_object

logger = logging.getLogger(__name__)

_FILE_SETTINGS = {"train": "train_file", "validation": "validation_file", "test": "test_file"}
_NAMES = {
    "train": ("train",),
    "validation": ("validation", "validation_matched", "valid", "dev"),
    "test": ("test", "test_matched"),
    "validation_mismatched": ("validation_mismatched",),
    "test_mismatched": ("test_mismatched",),
}
"""Split -> the names that data sets have for it; the first existing one is used."""


@dataclass(frozen=True)
class DataChoice:
    """The data that the user named; empty texts stand for nothing.

    Attributes:
        train_file: file with the training rows.
        validation_file: file with the rows to evaluate on during training.
        test_file: file with the rows to evaluate on at the end.
        dataset_name: hub id, or folder with a data set.
        dataset_config_name: configuration of that data set.
        dataset_revision: branch, tag or commit on the hub.
        validation_ratio: share of the training rows, 0 <= share < 1, that becomes the validation split where the data
            has none; 0: no rows.
        eval_on_test: use the test split for validation too where the data has no validation split.
    """

    train_file: str = ""
    validation_file: str = ""
    test_file: str = ""
    dataset_name: str = ""
    dataset_config_name: str = ""
    dataset_revision: str = ""
    validation_ratio: float = 0.0
    eval_on_test: bool = False

    def files(self) -> dict[str, str]:
        """Split -> file, for those that are named."""
        return {split: name for split, setting in _FILE_SETTINGS.items() if (name := getattr(self, setting))}

    def local_paths(self) -> list[Path]:
        """The files and folders on this machine that hold the rows, in the order of the settings."""
        names = [*self.files().values(), *([self.dataset_name] if is_directory(self.dataset_name) else [])]
        return [Path(name).expanduser() for name in names if not is_object(name)]

    def require_usable(self) -> None:
        """Refuses data that cannot be read, as far as that is known without reading rows or asking the hub.

        Raises:
            SparseCoreError: nothing is named, or both files and a data set; a setting has no effect or is out of range;
                a file or directory is missing, empty or in object storage.
        """
        if not 0 <= self.validation_ratio < 1:
            raise ConfigError(
                "validation_ratio",
                accepted="a number, at least 0 and below 1",
                got=self.validation_ratio,
                fix="for a tenth write 0.1",
            )
        files = self.files()
        if files and self.dataset_name:
            raise DataError(
                "dataset_name",
                (f"'{self.dataset_name}' is given together with ", Setting(_FILE_SETTINGS[next(iter(files))])),
                fix="give a data set or files, not both",
            )
        if self.dataset_name:
            if is_directory(self.dataset_name) or is_object(self.dataset_name):
                require_directory(self.dataset_name, self.dataset_revision)
            return
        for setting in ("dataset_config_name", "dataset_revision"):
            if value := getattr(self, setting):
                raise DataError(
                    setting, (f"'{value}' is given without ", Setting("dataset_name"), ", and has no effect on files")
                )
        if "train" not in files:
            raise DataError(
                "train_file",
                "no data is given",
                fix=(
                    "give ",
                    Setting("train_file"),
                    " and ",
                    Setting("validation_file"),
                    f" ({listed(SUFFIXES)}), or ",
                    Setting("dataset_name"),
                    ", or for text_classification a ",
                    Setting("task_name"),
                    " such as sst2",
                ),
            )
        for split, name in files.items():
            DataFile.named(_FILE_SETTINGS[split], name).require_usable()


def with_named_task(choice: DataChoice, task: str, task_name: str) -> tuple[DataChoice, NamedTask | None]:
    """The choice with the data of a named task, and the form of that data.

    In text classification, `task_name` is a task of GLUE, or imdb. Where the user names no data, it stands for the
    task's data on the hub. The task decides columns and scores also for other data, and where `dataset_name` is GLUE.

    Args:
        choice: the data that the user named.
        task: the kind of prediction.
        task_name: the user's; in token classification it names a column, and nothing changes here.

    Raises:
        DataError: there is no such task, or the kind of prediction has no named tasks.
    """
    if task != "text_classification":
        if task_name and task != "token_classification":
            raise DataError("task_name", f"'{task_name}' is given, and {task} has no named tasks", fix="leave it empty")
        return choice, None
    if not task_name:
        is_on_hub = choice.dataset_name and not is_directory(choice.dataset_name)
        hub_id = locate(choice.dataset_name).hub_id if is_on_hub else ""
        return choice, task_on_hub(hub_id, choice.dataset_config_name)
    named = named_task(task_name)
    if not choice.files() and not choice.dataset_name:
        return replace(choice, dataset_name=named.hub_id, dataset_config_name=named.config), named
    if locate(choice.dataset_name).hub_id == named.hub_id and named.config:
        config = choice.dataset_config_name or named.config
        if config != named.config:
            raise DataError(
                "task_name",
                (f"'{task_name}' is given, and ", Setting("dataset_config_name"), f" is '{config}'"),
                fix="give one of the two",
            )
        choice = replace(choice, dataset_config_name=config)
    return choice, named


def find_splits(choice: DataChoice) -> dict[str, RowSource]:
    """The splits: train, validation, test where there is one, and further validation and test splits of the data set.

    A missing validation split is made of training rows with `validation_ratio`, or is the test split with
    `eval_on_test`.

    Raises:
        SparseCoreError: see `DataChoice.require_usable` and `read_data_set`; or there are no training or no validation
            rows.
    """
    choice.require_usable()
    splits: dict[str, RowSource] = {
        split: DataFile.named(_FILE_SETTINGS[split], name) for split, name in choice.files().items()
    }
    if not splits:
        splits = _choose(
            read_data_set(choice.dataset_name, choice.dataset_config_name, choice.dataset_revision), choice
        )
    if "validation" in splits:
        for setting in ("validation_ratio", "eval_on_test"):
            if getattr(choice, setting):
                logger.info("%s is not used, because there is validation data: %s", setting, splits["validation"].name)
    elif choice.eval_on_test and "test" in splits:
        splits["validation"] = splits["test"]
    elif choice.validation_ratio:
        splits["train"], splits["validation"] = cut(splits["train"], choice.validation_ratio)
    else:
        raise _no_validation(choice, splits)
    return {split: splits[split] for split in _NAMES if split in splits}


def _choose(splits: dict[str, RowSource], choice: DataChoice) -> dict[str, RowSource]:
    """The splits of a data set that are used, by this library's names for them."""
    present = {split: [name for name in names if name in splits] for split, names in _NAMES.items()}
    chosen = {split: names[0] for split, names in present.items() if names}
    if "train" not in splits:
        raise DataError(
            "dataset_name",
            f"{choice.dataset_name} has no split 'train', only {listed(splits)}",
            fix="give a data set with this split, or files",
        )
    unused = [name for name in splits if name not in chosen.values()]
    if unused:
        logger.info("%s: the splits %s are not used", choice.dataset_name, listed(unused))
    return {split: splits[name] for split, name in chosen.items()}


def _no_validation(choice: DataChoice, splits: dict[str, RowSource]) -> DataError:
    fix: Text = ("set ", Setting("validation_ratio"), ", such as 0.1 for a tenth of the training rows")
    if choice.files():
        return DataError("validation_file", "no file is given", fix=("give a file, or ", *fix))
    if "test" in splits and not choice.eval_on_test:
        fix = (*fix, ", or ", Setting("eval_on_test"), " to measure on the test split")
    problem = f"{choice.dataset_name} has no validation split, only {listed(splits)}"
    return DataError("dataset_name", problem, fix=fix)
