"""The training command of a task: its words and its flags, as dataclasses whose fields are flags.

Each task declares its own in `command.py` of its folder. Loads nothing heavy. `None` and empty texts mean "not given".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def flag(default: Any, text: str) -> Any:
    """A dataclass field with the help text of its flag."""
    return field(default=default, metadata={"help": text})


# --- model ------------------------------------------------------------------------------------------------------------


@dataclass
class ModelArguments:
    """Which model, configuration and tokenizer to start from."""

    _argument_group_name = "model"

    model_name_or_path: str | None = flag(None, "Model to start from: a folder, a hub id, or a zoo: stub.")
    config_name: str | None = flag(None, "Folder or hub id of another configuration than the model's own.")
    tokenizer_name: str | None = flag(None, "Folder or hub id of another tokenizer than the model's own.")
    cache_dir: str | None = flag(None, "Folder for downloaded models, in place of the hub's own cache.")
    model_revision: str = flag("main", "Branch, tag or commit of the model on the hub.")
    use_auth_token: bool = flag(
        False, "Require a hub token (HF_TOKEN, `hf auth login`). A token is used without this flag too."
    )
    use_fast_tokenizer: bool = flag(True, "Has no effect; tokenizers are always fast ones.")
    use_teacher_tokenizer: bool = flag(
        False, "The teacher reads each text with its own tokenizer (text classification only)."
    )


@dataclass
class PretrainingModelArguments(ModelArguments):
    """Also a model from scratch, for masked language modeling."""

    model_type: str | None = flag(None, "Train a new model of this type, such as bert; needs --tokenizer_name.")
    config_overrides: str | None = flag(
        None, "Configuration of a model from scratch: hidden_size=128,num_hidden_layers=2."
    )


# --- data -------------------------------------------------------------------------------------------------------------


@dataclass
class DataArguments:
    """Flags of every task: sources, lengths and sizes."""

    _argument_group_name = "data"

    dataset_name: str | None = flag(None, "Data set on the hub, or a folder that save_to_disk wrote.")
    dataset_config_name: str | None = flag(None, "Configuration of the data set on the hub.")
    dataset_revision: str | None = flag(None, "Branch, tag or commit of the data set on the hub.")
    train_file: str | None = flag(None, "Rows to train on: .csv, .json, .jsonl, .parquet or .txt.")
    validation_file: str | None = flag(None, "Rows to evaluate on.")
    max_seq_length: int | None = flag(
        None, "Longest row in tokens; longer ones are cut. Default: what the model reads, at most 512."
    )
    pad_to_max_length: bool = flag(False, "Pad every batch to max_seq_length, not to its longest row.")
    max_train_samples: int | None = flag(None, "Number of training rows to use. Default: all.")
    max_eval_samples: int | None = flag(None, "Number of evaluation rows to use. Default: all.")
    overwrite_cache: bool = flag(False, "Read the data again, even if an earlier command has read it.")
    preprocessing_num_workers: int | None = flag(None, "Has no effect; the number of processes follows rows and cores.")
    num_export_samples: int = flag(0, "Evaluation rows to write as .npz files, with the model's outputs.")
    task_args: str | None = flag(None, 'More options of the task as a JSON object, such as {"threshold": 0.5}.')


@dataclass
class TestDataArguments(DataArguments):
    """Also test rows, and validation rows that are split off."""

    test_file: str | None = flag(None, "Rows for --do_predict.")
    max_predict_samples: int | None = flag(None, "Number of rows for --do_predict. Default: all.")
    validation_ratio: float | None = flag(
        None, "Share of the training rows to evaluate on, if there are no evaluation rows."
    )
    eval_on_test: bool = flag(False, "Evaluate on the test rows, if there are no evaluation rows.")


# --- command ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TaskCommand:
    """The training command of a task.

    Attributes:
        task: the task, and the command's name.
        title: what it does, without a full stop.
        data: dataclass of its data flags.
        model: dataclass of its model flags.
        columns: data flag -> the setting of fetch_dataset that it decides.
        options: data flags that are options of the task.
        aliases: other words for the task, with underscores.
        labels_from_training: the labels come from the training rows, so these are needed for every command.
        has_named_data: `task_name` may name a data set.
    """

    task: str
    title: str
    data: type[DataArguments]
    model: type[ModelArguments] = ModelArguments
    columns: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    labels_from_training: bool = False
    has_named_data: bool = False
