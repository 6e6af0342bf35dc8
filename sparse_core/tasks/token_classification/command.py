"""Token classification: the training command."""

from __future__ import annotations

from dataclasses import dataclass

from sparse_core.tasks.command import TaskCommand, TestDataArguments, flag


@dataclass
class TokenClassificationData(TestDataArguments):
    """Flags of token classification."""

    task_name: str | None = flag(
        "ner", "ner, pos or chunk: the tags are in the column ner_tags, pos_tags or chunk_tags."
    )
    text_column_name: str | None = flag(None, "Column with the list of words. Default: tokens, else the first.")
    label_column_name: str | None = flag(None, "Column with the list of tags. Default: <task_name>_tags.")
    label_all_tokens: bool = flag(False, "Every piece of a word gets the word's tag, not only the first.")
    return_entity_level_metrics: bool = flag(False, "Also report scores for each type of entity.")


COMMAND = TaskCommand(
    "token_classification",
    "Fine-tune a model that tags words",
    TokenClassificationData,
    columns={"text_column_name": "text_column", "label_column_name": "label_column"},
    options=("label_all_tokens", "return_entity_level_metrics"),
    aliases=("ner",),
    labels_from_training=True,
)
