"""Reads rows of a question, a context, and where in the context the answers stand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparse_core.errors import ConfigError, Setting, shown
from sparse_core.tasks.columns import (
    checked_text,
    is_blank,
    label_column,
    require_column,
    text_column,
)
from sparse_core.tasks.rows import ColumnChoice, MissingValueError, RowReader

if TYPE_CHECKING:
    import pyarrow as pa

    from sparse_core.sources.data.rows import Row, RowSource

TEXT_COLUMNS = ("question", "context")
ANSWERS_COLUMN = "answers"
ID_COLUMN = "id"
"""SQuAD's names of its columns."""
_FORM = '{"text": ["42"], "answer_start": [17]}'


class AnswerReader(RowReader):
    """SQuAD's records; answers are a pair of lists, or SQuAD's own list of pairs."""

    target = "answers"

    def __init__(self, train: RowSource, choice: ColumnChoice, *, may_lack_answer: bool = False) -> None:
        """Finds the columns in the first row.

        Args:
            train: the training split.
            choice: what the user named.
            may_lack_answer: a row without an answer is a question that its context does not answer.

        Raises:
            DataError: a column does not exist.
            ConfigError: text_column does not name two columns, or a task_name is given.
        """
        if choice.task_name:
            raise ConfigError(
                "task_name",
                f"question_answering has no variants, such as '{choice.task_name}'",
                fix=("leave it empty, and name a data set of the hub as ", Setting("dataset_name")),
            )
        question, context = _text_columns(choice.text_column)
        answers = choice.label_column or ANSWERS_COLUMN
        self.source_columns = {"question": question, "context": context, "answers": answers}
        first = next(iter(train.rows()))
        self._require_texts(train, first)
        require_column(train, label_column(answers), first)
        if ID_COLUMN in first.values:
            self.source_columns = {"id": ID_COLUMN, **self.source_columns}
        self._may_lack_answer = may_lack_answer

    def arrow_schema(self) -> pa.Schema:
        """`id`, `question` and `context`: text; `answers`: a list of `text` and one of `answer_start`, in characters.

        `id` is the row's number where the source has none.
        """
        import pyarrow as pa

        answers = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
        texts = [(name, pa.string()) for name in ("id", "question", "context")]
        return pa.schema([*texts, ("answers", answers)])

    def read(self, row: Row, source: RowSource) -> dict[str, Any]:
        """See `RowReader.read`."""
        if row.number == 1:
            require_column(source, label_column(self.source_columns["answers"]), row)
        inputs = self.read_inputs(row, source)
        context = inputs["context"]
        texts, starts = self._answers(row, source)
        for text, start in zip(texts, starts, strict=True):
            if start < 0 or context[start : start + len(text)] != text:
                raise source.error(_misplaced(context, text, start), row)
        return {**inputs, "answers": {"text": texts, "answer_start": starts}}

    def read_inputs(self, row: Row, source: RowSource) -> dict[str, Any]:
        """See `RowReader.read_inputs`."""
        if row.number == 1:
            self._require_texts(source, row)
        texts = {
            name: checked_text(source, text_column(self.source_columns[name]), row, what=name) for name in TEXT_COLUMNS
        }
        return {"id": _id(row, source), **texts}

    def _require_texts(self, source: RowSource, row: Row) -> None:
        for name in TEXT_COLUMNS:
            require_column(source, text_column(self.source_columns[name]), row)

    def _answers(self, row: Row, source: RowSource) -> tuple[list[str], list[int]]:
        """Texts and starts of a row's answers, checked but for their places in the context."""
        column = self.source_columns["answers"]
        value = row.values.get(column)
        if is_blank(value):
            raise MissingValueError("answers", column)
        texts, starts = _lists(value, column, row, source)
        if len(texts) != len(starts):
            raise source.error(
                f"column '{column}' has {len(texts)} entries in 'text' and {len(starts)} in 'answer_start'",
                row,
                fix="give each answer one start",
            )
        for number, (text, start) in enumerate(zip(texts, starts, strict=True), start=1):
            if not isinstance(text, str) or is_blank(text):
                raise source.error(f"answer {number} is {shown(text)}", row, accepted="text that is not empty")
            if not isinstance(start, int) or isinstance(start, bool):
                raise source.error(
                    f"the answer_start of answer {number} is {shown(start)}",
                    row,
                    accepted="the number of characters of the context before it",
                )
        if not texts and not self._may_lack_answer:
            raise source.error(
                f"column '{column}' has no answer",
                row,
                fix=(
                    "for data with questions that the context does not answer, set ",
                    Setting("task_args.version_2_with_negative"),
                    " to true",
                ),
            )
        return texts, starts


def _id(row: Row, source: RowSource) -> str:
    own = row.values.get(ID_COLUMN)
    if is_blank(own):
        return str(row.number)
    return checked_text(source, text_column(ID_COLUMN), row) if isinstance(own, str) else str(own)


def _text_columns(chosen: str) -> tuple[str, str]:
    names = [name.strip() for name in chosen.split(",")] if chosen else list(TEXT_COLUMNS)
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise ConfigError(
            "text_column",
            accepted="the columns of question and context separated by a comma, such as 'question,context'",
            got=chosen,
        )
    return names[0], names[1]


def _lists(value: Any, column: str, row: Row, source: RowSource) -> tuple[list, list]:
    """Texts and starts, in whichever of the two forms they are."""
    if isinstance(value, list) and all(isinstance(answer, dict) for answer in value):
        value = {name: [answer.get(name) for answer in value] for name in ("text", "answer_start")}
    if isinstance(value, dict):
        texts, starts = value.get("text"), value.get("answer_start")
        if isinstance(texts, list) and isinstance(starts, list):
            return texts, starts
    raise source.error(
        f"column '{column}' has {shown(value)}",
        row,
        accepted=f"answers such as {_FORM}",
        fix="use JSON or Parquet, a CSV file cannot hold them" if isinstance(value, str) else "",
    )


def _misplaced(context: str, text: str, start: int) -> str:
    """What is wrong with an answer that does not stand at its `answer_start`."""
    if start < 0:
        there = "which is negative"
    elif start >= len(context):
        there = f"beyond the context's {len(context)} characters"
    else:
        there = f"where {context[start : start + len(text)]!r:.80} stands"
    places = [place for place in range(len(context)) if context.startswith(text, place)]
    nearest = min(places, key=lambda place: abs(place - start), default=None)
    where = "it is nowhere in the context" if nearest is None else f"it stands at {nearest}, counted in characters"
    return f"the answer {text!r:.80} is not at its answer_start {start}, {there}; {where}"
