"""Reads and checks the data files, and leaves them in the form that training reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparse_core.artifacts import fingerprint, require_disk_space, require_free, staged
from sparse_core.errors import DataError


def fetch_dataset(
    output: Path,
    *,
    train_file: str,
    validation_file: str,
    test_file: str = "",
    task: str = "text_classification",
    text_column: str = "",
    label_column: str = "label",
    content_hash: str = "",
) -> dict[str, Any]:
    """Checks every row of the data files and writes them as Arrow files, with the labels of train_file as classes.

    Args:
        output: where the data set artifact appears.
        train_file: rows to learn from; CSV with a header, a JSON array of records, or JSON lines, in UTF-8.
        validation_file: rows for measuring during training, in any of these forms.
        test_file: rows for measuring at the end; empty: none.
        task: what the data is for; text_classification.
        text_column: column with the text; empty: the only column of text besides the label.
        label_column: column with the label, a string or an integer.
        content_hash: fingerprint of the files when they were submitted; empty: not checked.

    Returns:
        Number of rows of each split (0 where there is none), and number of labels.

    Raises:
        SparseCoreError: a file, column, row or label cannot be used, a file has changed since it was submitted, or the
            output is in use.
    """
    from sparse_core.sources.data_file import DataFile
    from sparse_core.sources.datasets import find_columns, renumber_labels, write_split
    from sparse_core.sources.labels import Labels
    from sparse_core.tasks import DatasetSchema, get_task
    from sparse_core.tasks.schema import split_path

    get_task(task)
    require_free(output)
    names = {"train": train_file, "validation": validation_file, "test": test_file}
    files = {split: DataFile(f"{split}_file", Path(name)) for split, name in names.items() if name or split != "test"}
    for file in files.values():
        file.require_usable()
    columns = find_columns(files["train"], text_column, label_column)
    require_disk_space(output, 2 * sum(file.path.stat().st_size for file in files.values()), "the data set")
    labels = Labels(label_column)
    num_rows: dict[str, int] = {}
    facts = {file.setting: str(file.path) for file in files.values()}
    with staged(output, "fetch_dataset", **facts) as staging:
        for split, file in files.items():
            num_rows[split] = write_split(file, columns, labels, split_path(staging, split))
            if split == "train":
                renumber_labels(split_path(staging, split), labels.close(file))
        # Checked after the reading, so that a change during it is found too.
        if content_hash and fingerprint(*(file.path for file in files.values())) != content_hash:
            raise DataError(
                "content_hash: train_file, validation_file or test_file has changed since this run was submitted; "
                "submit the run again"
            )
        source_columns = {"text": columns.text, "label": columns.label}
        DatasetSchema(task, ["text"], source_columns, labels.names, num_rows).write(staging)
    return {**{f"num_{split}_rows": num_rows.get(split, 0) for split in names}, "num_labels": len(labels.names)}
