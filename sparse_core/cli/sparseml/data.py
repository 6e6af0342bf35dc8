"""The data of a command as a dataset artifact, kept in the cache for the next command that needs the same."""

from __future__ import annotations

import dataclasses
import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts.dataset import read_schema, split_path
from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ConfigError, renamed_settings
from sparse_core.fields import json_object
from sparse_core.steps.fetch_dataset import fetch_dataset
from sparse_core.store import cached, code_identity, identity, local_path

if TYPE_CHECKING:
    from sparse_core.tasks.command import DataArguments, TaskCommand

logger = logging.getLogger(__name__)

_SOURCES = ("train_file", "validation_file", "test_file", "dataset_name")
_SAME_NAMES = (
    *_SOURCES,
    "dataset_config_name",
    "dataset_revision",
    "task_name",
    "max_train_samples",
    "max_eval_samples",
    "max_predict_samples",
)


def dataset_directory(command: TaskCommand, data: DataArguments, *, trains: bool, evaluates: bool) -> Path:
    """The dataset artifact of the flags, made now or by an earlier command.

    Args:
        command: whose flags they are.
        data: the flags.
        trains: the training rows are needed.
        evaluates: the validation rows are needed.

    Raises:
        ConfigError: no source is given, or an option of the task cannot be used.
        DataError: a source cannot be read.
    """
    settings = settings_of(command, data)
    settings |= _stand_ins(command, data, settings, trains, evaluates)
    if not trains and settings.get("validation_file") and not settings.get("train_file"):
        raise ConfigError(
            "train_file",
            f"is not given, and the labels of {command.task} come from the training rows",
            fix="give the training rows too",
        )
    has_data = any(settings.get(name) for name in _SOURCES)
    if not has_data and not (command.has_named_data and settings.get("task_name")):
        raise ConfigError("dataset_name", "no data is given", fix="name a data set, or files with --train_file")
    second_name = getattr(data, "dataset_name_2", None)
    flags = data_flags(command, data)
    if second_name is None:
        return _fetched(settings, data, flags)
    second = {"dataset_name": second_name, "dataset_config_name": getattr(data, "dataset_config_name_2", None) or ""}
    kept = {name: value for name, value in settings.items() if name not in (*_SOURCES, "dataset_revision")}
    flags_of_second = {**flags, **{name: f"{name}_2" for name in second}}
    limits = {"train": data.max_train_samples, "validation": data.max_eval_samples}
    return _joined(_fetched(settings, data, flags), _fetched({**kept, **second}, data, flags_of_second), limits)


def _fetched(settings: dict[str, Any], data: DataArguments, flags: dict[str, str]) -> Path:
    local = []
    for name in _SOURCES:
        if settings.get(name):
            with renamed_settings({"location": name}):
                local.append(local_path(settings[name]))
    key = identity(_code(), json.dumps(settings, sort_keys=True), *(path for path in local if path.exists()))

    def write(partial: Path) -> None:
        with renamed_settings(flags):
            fetch_dataset(partial, **settings)

    folder, was_there = cached("datasets", key[:32], write, refresh=data.overwrite_cache)
    if was_there:
        logger.info("data: read from the cache, %s; --overwrite_cache reads it again", folder)
    return folder


def _code() -> str:
    """Identity of the code that reads data; a change of it reads the data again."""
    return code_identity(
        *("sparse_core.sources.data", "sparse_core.tasks", "sparse_core.steps.fetch_dataset"), "datasets", "pyarrow"
    )


def _joined(first: Path, second: Path, limits: dict[str, int | None]) -> Path:
    """A dataset artifact with the rows of both, split by split, up to a number of rows."""
    import pyarrow as pa

    schemas = [read_schema(source) for source in (first, second)]
    num_rows: dict[str, int] = {}

    def write(partial: Path) -> None:
        partial.mkdir(parents=True)
        for split in schemas[0].num_rows:
            sources = [
                source for source, schema in zip((first, second), schemas, strict=True) if split in schema.num_rows
            ]
            all_rows = sum(schema.num_rows.get(split, 0) for schema in schemas)
            num_rows[split] = min(all_rows, limits.get(split) or all_rows)
            with pa.OSFile(str(split_path(partial, split)), "wb") as sink:
                _copy_rows([split_path(source, split) for source in sources], sink, num_rows[split])
        dataclasses.replace(schemas[0], num_rows=num_rows).write(partial)
        RunRecord(step="fetch_dataset", settings={"joined": [first.name, second.name]}).write(partial)

    return cached("datasets", identity(_code(), json.dumps(limits), first, second)[:32], write)[0]


def _copy_rows(sources: list[Path], sink: Any, max_rows: int) -> None:
    """Writes the first rows of several Arrow streams of one schema as one stream."""
    import pyarrow as pa

    with pa.memory_map(str(sources[0])) as file:
        schema = pa.ipc.open_stream(file).schema
    with pa.ipc.new_stream(sink, schema) as writer:
        for source in sources:
            with pa.memory_map(str(source)) as file, pa.ipc.open_stream(file) as stream:
                for batch in stream:
                    writer.write_batch(batch.slice(0, max_rows))
                    max_rows -= min(max_rows, batch.num_rows)


def settings_of(command: TaskCommand, data: DataArguments) -> dict[str, Any]:
    """The arguments of fetch_dataset that correspond to the flags."""
    settings: dict[str, Any] = {"task": command.task, "task_args": json.dumps(task_args(command, data))}
    for name in _SAME_NAMES:
        value = getattr(data, name, None)
        if value is not None:
            settings[name] = value
    for flag, name in command.columns.items():
        if getattr(data, flag, None):
            settings[name] = getattr(data, flag)
    if getattr(data, "validation_ratio", None) is not None:
        settings["validation_ratio"] = data.validation_ratio  # type: ignore[attr-defined]
    if hasattr(data, "validation_split_percentage") and data.validation_file is None:
        settings["validation_ratio"] = data.validation_split_percentage / 100
    if getattr(data, "eval_on_test", False):
        settings["eval_on_test"] = True
    return settings


def _stand_ins(
    command: TaskCommand, data: DataArguments, settings: dict[str, Any], trains: bool, evaluates: bool
) -> dict[str, str]:
    """Files for the splits that a dataset artifact has and this command does not read."""
    named = [name for name in (data.train_file, data.validation_file, getattr(data, "test_file", None)) if name]
    files: dict[str, str] = {}
    if named and data.train_file is None and not trains and not command.labels_from_training:
        files["train_file"] = named[0]
    is_split_off = settings.keys() & {"validation_ratio", "eval_on_test"}
    if named and data.validation_file is None and not evaluates and not is_split_off:
        files["validation_file"] = named[0]
    return files


def task_args(command: TaskCommand, data: DataArguments) -> dict[str, Any]:
    """The options of the task: those with a flag of their own, and --task_args.

    Raises:
        ConfigError: --task_args is not a JSON object.
    """
    with renamed_settings({"value": "task_args"}):
        options = json_object(data.task_args, '{"threshold": 0.5}')
    return {**{name: getattr(data, name) for name in command.options}, **options}


def data_flags(command: TaskCommand, data: DataArguments) -> dict[str, str]:
    """From a setting of fetch_dataset, or an option of the task, to the flag that decides it."""
    same = {name: name for name in vars(data)}
    columns = {setting: flag for flag, setting in command.columns.items()}
    percentage = {"validation_ratio": "validation_split_percentage"} if "validation_ratio" not in same else {}
    return {**same, **columns, **percentage}
