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

    model_name_or_path: str | None = flag(None, "Model to start from: a directory, a hub id, or a zoo: stub.")
    config_name: str | None = flag(None, "Directory or hub id of a configuration, where it is not the model's own.")
    tokenizer_name: str | None = flag(None, "Directory or hub id of a tokenizer, where it is not the model's own.")
    cache_dir: str | None = flag(None, "Folder for downloaded models, instead of the hub's own cache.")
    model_revision: str = flag("main", "Branch, tag or commit of the model on the hub.")
    use_auth_token: bool = flag(
        False, "A token must be there (HF_TOKEN, `hf auth login`); one that is, is used anyway."
    )
    use_fast_tokenizer: bool = flag(True, "Accepted; tokenizers are always fast ones.")
    use_teacher_tokenizer: bool = flag(False, "The teacher reads its own tokens (classification of texts only).")


@dataclass
class PretrainingModelArguments(ModelArguments):
    """Also a model from scratch, for masked language modeling."""

    model_type: str | None = flag(None, "Train a new model of this type, such as bert; needs --tokenizer_name.")
    config_overrides: str | None = flag(
        None, "Values of the configuration of a model from scratch: hidden_size=128,num_hidden_layers=2"
    )


# --- data -------------------------------------------------------------------------------------------------------------


@dataclass
class DataArguments:
    """What all tasks have: sources, lengths and sizes."""

    _argument_group_name = "data"

    dataset_name: str | None = flag(None, "Data set on the hub, or a directory that save_to_disk has written.")
    dataset_config_name: str | None = flag(None, "Configuration of the data set on the hub.")
    dataset_revision: str | None = flag(None, "Branch, tag or commit of the data set on the hub.")
    train_file: str | None = flag(None, "Rows to learn from: .csv, .json, .jsonl, .parquet.")
    validation_file: str | None = flag(None, "Rows to evaluate on.")
    max_seq_length: int | None = flag(None, "Longest row in tokens; longer ones are cut. Default: the model's longest.")
    pad_to_max_length: bool = flag(False, "Pad every batch to max_seq_length instead of to its longest row.")
    max_train_samples: int | None = flag(None, "Use only so many training rows.")
    max_eval_samples: int | None = flag(None, "Use only so many evaluation rows.")
    overwrite_cache: bool = flag(False, "Read the data again instead of taking what an earlier command left.")
    preprocessing_num_workers: int | None = flag(None, "Accepted; the number of processes follows rows and cores.")
    num_export_samples: int = flag(0, "Write so many evaluation rows and the model's outputs for them as .npz files.")
    task_args: str | None = flag(None, 'Further options of the task as a JSON object, such as {"threshold": 0.5}.')


@dataclass
class _WithTestData(DataArguments):
    test_file: str | None = flag(None, "Rows for --do_predict.")
    max_predict_samples: int | None = flag(None, "Use only so many rows for --do_predict.")
    validation_ratio: float | None = flag(None, "Share of the training rows to evaluate on, where none are given.")
    eval_on_test: bool = flag(False, "Evaluate on the test rows, where there are none for validation.")


@dataclass
class TextClassificationData(_WithTestData):
    """Texts, or pairs of texts, with a class, several classes or a number."""

    max_seq_length: int | None = flag(384, "Longest row in tokens; longer ones are cut.")
    task_name: str | None = flag(None, "GLUE task, such as sst2 or mnli, instead of --dataset_name.")
    input_column_names: str | None = flag(None, "Column with the text, or two for a pair: sentence1,sentence2.")
    label_column_name: str | None = flag(None, "Column with the label. Default: label.")


@dataclass
class TokenClassificationData(_WithTestData):
    """Words with a tag each."""

    task_name: str | None = flag("ner", "ner, pos or chunk: the tags are in the column ner_tags, pos_tags, ...")
    text_column_name: str | None = flag(None, "Column with the list of words. Default: tokens, else the first.")
    label_column_name: str | None = flag(None, "Column with the list of tags. Default: <task_name>_tags.")
    label_all_tokens: bool = flag(False, "Every piece of a word gets its tag, not the first alone.")
    return_entity_level_metrics: bool = flag(False, "Scores of each kind of entity too.")


@dataclass
class QuestionAnsweringData(_WithTestData):
    """Questions whose answers are a part of a context, in SQuAD's form."""

    max_seq_length: int | None = flag(384, "Longest row in tokens; a longer context becomes several rows.")
    text_column_name: str | None = flag(None, "Columns of question and context. Default: question,context.")
    label_column_name: str | None = flag(None, "Column with the answers. Default: answers.")
    version_2_with_negative: bool = flag(False, "Some questions have no answer.")
    null_score_diff_threshold: float = flag(0.0, "No answer where its score is that much above the best answer's.")
    doc_stride: int | None = flag(
        None, "Tokens that two rows of one context have in common. Default: a third of max_seq_length."
    )
    n_best_size: int = flag(20, "Starts and ends to consider for an answer.")
    max_answer_length: int = flag(30, "Longest answer in tokens.")


@dataclass
class MaskedLanguageModelingData(DataArguments):
    """Texts of which the model fills in hidden tokens."""

    dataset_name_2: str | None = flag(None, "A second data set, joined to the first.")
    dataset_config_name_2: str | None = flag(None, "Configuration of the second data set.")
    text_column_name: str | None = flag(None, "Column with the text. Default: text, else the only one.")
    validation_split_percentage: int = flag(5, "Percent of the training rows to evaluate on, where none are given.")
    mlm_probability: float = flag(0.15, "Share of the tokens to hide.")
    line_by_line: bool = flag(False, "Each text is a row of its own; otherwise texts are joined and cut.")


# --- recipe -----------------------------------------------------------------------------------------------------------


@dataclass
class RecipeArguments:
    """The recipe and the teacher."""

    _argument_group_name = "recipe"

    recipe: str | None = flag(None, "A built-in recipe's name, a .yaml or .md file, a zoo: stub, or the recipe's text.")
    recipe_args: str | None = flag(
        None, "New values for the recipe's variables: a JSON object, or name=value,name:value."
    )
    distill_teacher: str | None = flag(
        None, "The teacher: a directory, hub id or zoo: stub; self: a copy of the model; disable: none."
    )
    one_shot: bool = flag(False, "Refused; quantization without training is not there yet.")


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
            "Train a model to fill in hidden tokens, by a recipe.",
            MaskedLanguageModelingData,
            PretrainingModelArguments,
            options=("mlm_probability", "line_by_line"),
        ),
    )
}
"""The training commands by name."""
