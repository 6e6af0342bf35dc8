"""The flags of the training commands, as dataclasses: a field is a flag, its help is in the metadata.

Loads nothing heavy. `None` and empty texts mean "not given".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

DISABLE_TEACHER = "disable"
SELF_TEACHER = "self"
LONGEST_DEFAULT = 512
"""Tokens of a row where neither the user nor the model sets a limit."""


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
class _WithTestData(DataArguments):
    test_file: str | None = flag(None, "Rows for --do_predict.")
    max_predict_samples: int | None = flag(None, "Number of rows for --do_predict. Default: all.")
    validation_ratio: float | None = flag(
        None, "Share of the training rows to evaluate on, if there are no evaluation rows."
    )
    eval_on_test: bool = flag(False, "Evaluate on the test rows, if there are no evaluation rows.")


@dataclass
class TextClassificationData(_WithTestData):
    """Flags of text classification."""

    max_seq_length: int | None = flag(384, "Longest row in tokens; longer ones are cut.")
    task_name: str | None = flag(None, "GLUE task, such as sst2 or mnli, or imdb, in place of --dataset_name.")
    input_column_names: str | None = flag(None, "Column with the text, or two for a pair: sentence1,sentence2.")
    label_column_name: str | None = flag(None, "Column with the label. Default: label.")


@dataclass
class TokenClassificationData(_WithTestData):
    """Flags of token classification."""

    task_name: str | None = flag(
        "ner", "ner, pos or chunk: the tags are in the column ner_tags, pos_tags or chunk_tags."
    )
    text_column_name: str | None = flag(None, "Column with the list of words. Default: tokens, else the first.")
    label_column_name: str | None = flag(None, "Column with the list of tags. Default: <task_name>_tags.")
    label_all_tokens: bool = flag(False, "Every piece of a word gets the word's tag, not only the first.")
    return_entity_level_metrics: bool = flag(False, "Also report scores for each type of entity.")


@dataclass
class QuestionAnsweringData(_WithTestData):
    """Flags of question answering."""

    max_seq_length: int | None = flag(384, "Longest row in tokens; a longer context becomes several rows.")
    text_column_name: str | None = flag(None, "Columns of question and context. Default: question,context.")
    label_column_name: str | None = flag(None, "Column with the answers. Default: answers.")
    version_2_with_negative: bool = flag(False, "Some questions have no answer.")
    null_score_diff_threshold: float = flag(
        0.0, "A question has no answer if that score is this much above the best answer's."
    )
    doc_stride: int | None = flag(
        None, "Tokens that two rows of one context share. Default: a third of max_seq_length."
    )
    n_best_size: int = flag(20, "Likeliest starts and ends to combine into answers.")
    max_answer_length: int = flag(30, "Longest answer in tokens.")


@dataclass
class MaskedLanguageModelingData(DataArguments):
    """Flags of masked language modeling."""

    dataset_name_2: str | None = flag(None, "A second data set, joined to the first.")
    dataset_config_name_2: str | None = flag(None, "Configuration of the second data set.")
    text_column_name: str | None = flag(None, "Column with the text. Default: text, else the only one.")
    validation_split_percentage: int = flag(
        5, "Percent of the training rows to evaluate on, if there are no evaluation rows."
    )
    mlm_probability: float = flag(0.15, "Share of the tokens to mask.")
    line_by_line: bool = flag(False, "Make each text one row. Default: join the texts and cut them to max_seq_length.")


# --- recipe -----------------------------------------------------------------------------------------------------------


@dataclass
class RecipeArguments:
    """Flags of the recipe and the teacher."""

    _argument_group_name = "recipe"

    recipe: str | None = flag(None, "A built-in recipe's name, a .yaml or .md file, a zoo: stub, or the recipe's text.")
    recipe_args: str | None = flag(
        None, "New values for the recipe's variables: a JSON object, or name=value,name:value."
    )
    distill_teacher: str | None = flag(
        None, "The teacher: a folder, hub id or zoo: stub; self: a copy of the model; disable: none."
    )
    one_shot: bool = flag(False, "Refused; a recipe cannot be applied without training yet.")


@dataclass(frozen=True)
class TaskCommand:
    """A training command.

    Attributes:
        task: the task, and the command's name.
        title: first line of its help.
        data: dataclass of its data flags.
        model: dataclass of its model flags.
        options: data flags that are options of the task.
    """

    task: str
    title: str
    data: type[DataArguments]
    model: type[ModelArguments] = ModelArguments
    options: tuple[str, ...] = ()


COMMANDS = {
    command.task: command
    for command in (
        TaskCommand(
            "text_classification",
            "Fine-tune a model that classifies texts or pairs of texts, by a recipe.",
            TextClassificationData,
        ),
        TaskCommand(
            "token_classification",
            "Fine-tune a model that tags words, by a recipe.",
            TokenClassificationData,
            options=("label_all_tokens", "return_entity_level_metrics"),
        ),
        TaskCommand(
            "question_answering",
            "Fine-tune a model that finds answers in a context, by a recipe.",
            QuestionAnsweringData,
            options=(
                "version_2_with_negative",
                "null_score_diff_threshold",
                "doc_stride",
                "n_best_size",
                "max_answer_length",
            ),
        ),
        TaskCommand(
            "masked_language_modeling",
            "Train a model to fill in masked tokens, by a recipe.",
            MaskedLanguageModelingData,
            PretrainingModelArguments,
            options=("mlm_probability", "line_by_line"),
        ),
    )
}
"""The training commands by name."""
