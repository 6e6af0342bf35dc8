"""Text classification: the training command."""

from __future__ import annotations

from dataclasses import dataclass

from sparse_core.tasks.command import TaskCommand, TestDataArguments, flag


@dataclass
class TextClassificationData(TestDataArguments):
    """Flags of text classification."""

    max_seq_length: int | None = flag(384, "Longest row in tokens; longer ones are cut.")
    task_name: str | None = flag(None, "GLUE task, such as sst2 or mnli, or imdb, in place of --dataset_name.")
    input_column_names: str | None = flag(None, "Column with the text, or two for a pair: sentence1,sentence2.")
    label_column_name: str | None = flag(None, "Column with the label. Default: label.")


COMMAND = TaskCommand(
    "text_classification",
    "Fine-tune a model that classifies texts or pairs of texts",
    TextClassificationData,
    columns={"input_column_names": "text_column", "label_column_name": "label_column"},
    aliases=("glue", "sentiment_analysis", "sequence_classification"),
    labels_from_training=True,
    has_named_data=True,
)
