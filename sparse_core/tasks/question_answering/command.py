"""Question answering: the training command."""

from __future__ import annotations

from dataclasses import dataclass

from sparse_core.tasks.command import TaskCommand, TestDataArguments, flag


@dataclass
class QuestionAnsweringData(TestDataArguments):
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


COMMAND = TaskCommand(
    "question_answering",
    "Fine-tune a model that finds answers in a context",
    QuestionAnsweringData,
    columns={"text_column_name": "text_column", "label_column_name": "label_column"},
    options=(
        "version_2_with_negative",
        "null_score_diff_threshold",
        "doc_stride",
        "n_best_size",
        "max_answer_length",
    ),
    aliases=("qa",),
)
