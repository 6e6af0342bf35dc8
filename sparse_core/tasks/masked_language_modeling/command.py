"""Masked language modeling: the training command."""

from __future__ import annotations

from dataclasses import dataclass

from sparse_core.tasks.command import DataArguments, PretrainingModelArguments, TaskCommand, flag


@dataclass
class MaskedLanguageModelingData(DataArguments):
    """Texts of which the model fills in hidden tokens."""

    dataset_name_2: str | None = flag(None, "A second data set, joined to the first.")
    dataset_config_name_2: str | None = flag(None, "Configuration of the second data set.")
    text_column_name: str | None = flag(None, "Column with the text. Default: text, else the only one.")
    validation_split_percentage: int = flag(5, "Percent of the training rows to evaluate on, where none are given.")
    mlm_probability: float = flag(0.15, "Share of the tokens to hide.")
    line_by_line: bool = flag(False, "Each text is a row of its own; otherwise texts are joined and cut.")


COMMAND = TaskCommand(
    "masked_language_modeling",
    "Train a model to fill in hidden tokens",
    MaskedLanguageModelingData,
    PretrainingModelArguments,
    columns={"text_column_name": "text_column"},
    options=("mlm_probability", "line_by_line"),
    aliases=("mlm",),
)
