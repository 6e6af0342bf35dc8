"""Step: read and check the rows of a data set, and write them in the form that training reads."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import DataError, nearest
from sparse_core.fields import JsonObject, NameList, Options
from sparse_core.steps.spec import Kind, Port, step
from sparse_core.store import identity, publishing, require_room

if TYPE_CHECKING:
    from sparse_core.sources.data.glue import NamedTask
    from sparse_core.sources.data.rows import RowSource
    from sparse_core.tasks import RowReader

logger = logging.getLogger(__name__)


class DatasetOptions(Options):
    """Rarely used settings of a data set."""

    dataset_config_name: str = Field("", description="Configuration of dataset_name; empty: its default.")
    dataset_revision: str = Field(
        "", description="Branch, tag or commit of dataset_name on the hub; empty: the default branch."
    )
    task_name: str = Field(
        "",
        description="For text_classification a GLUE task or imdb; for token_classification ner, pos or chunk.",
    )
    text_column: NameList = Field(
        "",
        description="Column with the text or the tokens; for a pair of texts two columns, separated by a comma; empty: "
        "chosen from the columns of the data.",
    )
    label_column: str = Field("", description="Column with the label or the tags; empty: chosen from the columns.")
    validation_ratio: float = Field(
        0.0,
        ge=0.0,
        lt=1.0,
        description="Share of the training rows to use for validation if the data has no validation split.",
    )
    eval_on_test: bool = Field(
        False, description="Evaluate on the test split during training if the data has no validation split."
    )
    max_train_samples: int = Field(0, ge=0, description="Training rows to keep, from the first row on; 0: all.")
    max_eval_samples: int = Field(0, ge=0, description="Validation rows to keep; 0: all.")
    max_predict_samples: int = Field(0, ge=0, description="Test rows to keep; 0: all.")
    task_args: JsonObject = Field({}, description="Options of the task, as a JSON object.")
    content_hash: str = Field(
        "", description="Identity of the files; the step fails if their content differs; empty: not checked."
    )


class FetchDatasetSettings(Options):
    """Settings of `fetch_dataset`."""

    task: str = Field(
        "text_classification",
        description="Task of the data: text_classification, token_classification, question_answering or "
        "masked_language_modeling.",
    )
    train_file: str = Field(
        "",
        description="Rows to train on: CSV with a header, JSON (an array of records, or an object with such an array "
        "as data), JSON lines, Parquet, or text with one row on each line; in UTF-8.",
    )
    validation_file: str = Field("", description="Rows to evaluate on during training, in any of these forms.")
    test_file: str = Field("", description="Rows for the benchmark at the end; empty: none.")
    dataset_name: str = Field(
        "",
        description="In place of files: a data set on the Hugging Face hub, a folder that save_to_disk wrote, or a "
        "folder laid out like a data set on the hub.",
    )
    dataset_options: DatasetOptions = DatasetOptions()


@step(
    output=Port("dataset", Kind.DATASET, "The splits as Arrow files, and the labels of the training rows."),
    settings=FetchDatasetSettings,
)
def fetch_dataset(output: Path, settings: FetchDatasetSettings) -> dict[str, Any]:
    """Checks every row of a data set and writes its splits as Arrow files, and the labels of the training rows.

    Returns:
        Number of rows of each split (0 for a missing split), and number of labels. Test rows without labels become the
        split `unlabelled_test`.

    Raises:
        SparseCoreError: a source, column, row, label or option cannot be used, or a file has changed since the run was
            submitted.
    """
    from sparse_core.sources.data.splits import DataChoice, find_splits, with_named_task
    from sparse_core.tasks import ColumnChoice, DatasetSchema, get_task
    from sparse_core.tasks.quiet import datasets_bars_on_terminals

    more = settings.dataset_options
    task, task_name = settings.task, more.task_name
    limits = {"train": more.max_train_samples, "validation": more.max_eval_samples, "test": more.max_predict_samples}
    choice, named = with_named_task(
        DataChoice(
            train_file=settings.train_file,
            validation_file=settings.validation_file,
            test_file=settings.test_file,
            dataset_name=settings.dataset_name,
            dataset_config_name=more.dataset_config_name,
            dataset_revision=more.dataset_revision,
            validation_ratio=more.validation_ratio,
            eval_on_test=more.eval_on_test,
        ),
        task,
        task_name,
    )
    options, text_column = more.task_args, more.text_column
    if named is not None:
        options, text_column = {**named.task_args, **options}, text_column or named.text_column
    chosen_task = get_task(task, options)
    with datasets_bars_on_terminals() if choice.dataset_name else nullcontext():
        sources = find_splits(choice)
    reader = chosen_task.row_reader(sources["train"], ColumnChoice(text_column, more.label_column, task_name))
    sources = _with_unlabelled_splits(sources, reader, named, more.max_predict_samples)
    require_room(output, 2 * sum(source.size_bytes for source in sources.values()), "the data set")
    facts = {name: value for name, value in asdict(choice).items() if value}
    with publishing(output) as staging:
        num_rows = _write_splits(staging, sources, reader, limits)
        # after the reading, which also detects a change during it
        if more.content_hash and identity(*choice.local_paths()) != more.content_hash:
            raise DataError(
                "content_hash",
                f"{', '.join(map(str, choice.local_paths()))} has changed since this run was submitted",
                fix="submit the run again",
            )
        final_options = chosen_task.final_options(reader)
        label_names = reader.labels.names if reader.labels is not None else []
        DatasetSchema(task, reader.source_columns, label_names, num_rows, final_options).write(staging)
        RunRecord(step="fetch_dataset", settings=facts).write(staging)
    return {
        **{f"num_{split}_rows": num_rows.get(split, 0) for split in dict.fromkeys([*limits, *num_rows])},
        "num_labels": len(label_names),
    }


def _write_splits(
    directory: Path, sources: dict[str, RowSource], reader: RowReader, limits: dict[str, int]
) -> dict[str, int]:
    """Writes all splits, the training rows first because they decide the labels, and returns the numbers of rows."""
    from sparse_core.artifacts.dataset import split_path
    from sparse_core.sources.data.split_writer import renumber_labels, require_same_classes, write_split
    from sparse_core.tasks.rows import UNLABELLED_TEST, UnlabelledReader

    num_rows = {}
    train, label_column = sources["train"], _label_column(reader)
    for split, source in sources.items():
        path = split_path(directory, split)
        limit = limits[next(name for name in limits if name in split)]
        if split.startswith(UNLABELLED_TEST):
            num_rows[split] = write_split(source, UnlabelledReader(reader), path, max_rows=limit)
            continue
        if split != "train":
            require_same_classes(train, source, label_column)
            num_rows[split] = write_split(source, reader, path, max_rows=limit)
            continue
        has_new_labels = reader.labels is not None and train.label_names(label_column) is None
        num_rows[split] = write_split(source, reader, path, max_rows=limit, read_all=has_new_labels)
        if reader.labels is not None and reader.label_field is not None:
            renumber_labels(path, reader.label_field, reader.labels.close(train))
    return num_rows


def _label_column(reader: RowReader) -> str:
    """The source column with the labels; empty if the task has no labels."""
    return reader.source_columns.get(reader.target, "")


def _with_unlabelled_splits(
    sources: dict[str, RowSource], reader: RowReader, named: NamedTask | None, max_rows: int
) -> dict[str, RowSource]:
    """Renames each test split that has no label in its first `max_rows` rows (0: all) to an unlabelled one."""
    from sparse_core.tasks.rows import UNLABELLED_TEST

    column = _label_column(reader)
    splits = {}
    for split, source in sources.items():
        is_test = bool(column) and split.startswith("test")
        if not is_test or any(
            _is_label(row.values.get(column), named) for row in islice(source.rows(), max_rows or None)
        ):
            splits[split] = source
            continue
        unlabelled = split.replace("test", UNLABELLED_TEST, 1)
        splits[unlabelled] = source
        _log_unlabelled(source, reader, column, unlabelled)
    return splits


def _log_unlabelled(source: RowSource, reader: RowReader, column: str, split: str) -> None:
    columns = next(iter(source.rows())).values
    is_present = column in columns
    others = [name for name in columns if name not in reader.source_columns.values()]
    advice = "" if is_present else nearest(column, others)
    logger.log(
        logging.INFO if is_present else logging.WARNING,
        "%s: has no labels in column '%s', so it becomes the split %s, which is predicted and not scored%s",
        source.name,
        column,
        split,
        f"; {advice}" if advice else "",
    )


def _is_label(value: Any, named: NamedTask | None) -> bool:
    """Whether a value is a label. In GLUE's test splits -1 stands for a label that its authors do not publish."""
    from sparse_core.tasks.columns import is_blank

    if named is not None and not named.has_test_labels and str(value) in ("-1", "-1.0"):
        return False
    is_list_of_none = isinstance(value, list) and bool(value) and all(entry is None for entry in value)
    return not is_blank(value) and not is_list_of_none
