"""Masked language modeling: the training command."""

from __future__ import annotations

from dataclasses import dataclass

from sparse_core.tasks.command import DataArguments, PretrainingModelArguments, TaskCommand, flag


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


COMMAND = TaskCommand(
    "masked_language_modeling",
    "Train a model to fill in masked tokens",
    MaskedLanguageModelingData,
    PretrainingModelArguments,
    columns={"text_column_name": "text_column"},
    options=("mlm_probability", "line_by_line"),
    aliases=("mlm",),
)
