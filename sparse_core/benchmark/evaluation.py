"""Scores of the candidates on the rows of a data set, in any engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.artifacts.report_parts import Data, Score
from sparse_core.benchmark.candidates import CandidateFolder
from sparse_core.errors import renamed_settings
from sparse_core.tasks import Task, read_examples, read_schema, task_of
from sparse_core.tasks.inference import Forward, predict
from sparse_core.tasks.tokenizers import tokenizer_fingerprint

if TYPE_CHECKING:
    from datasets import Dataset

_BATCH_SIZE = 16


@dataclass(frozen=True)
class Evaluation:
    """The rows that scores are measured on, and the task that reads and scores them.

    Attributes:
        dataset: the data set artifact.
        task: the task of the data.
        schema: what the data set says of itself.
        split: the split that is measured: test, or validation where there is no test split.
        examples: its rows, not tokenized.
        max_seq_length: longest row, in tokens.
    """

    dataset: Path
    task: Task
    schema: DatasetSchema
    split: str
    examples: Dataset
    max_seq_length: int
    _by_tokenizer: dict[str, tuple[Dataset, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, dataset: Path, max_seq_length: int) -> Evaluation:
        """Reads the data set.

        Raises:
            DataError: the folder is no data set artifact.
        """
        schema = read_schema(dataset)
        split = "test" if "test" in schema.num_rows else "validation"
        return cls(dataset, task_of(schema), schema, split, read_examples(dataset, split), max_seq_length)

    def rows(self, candidate: CandidateFolder) -> tuple[Dataset, Any]:
        """The tokenized rows and the collator for a candidate; each tokenizer's rows are made once."""
        with renamed_settings({"model": candidate.setting}):
            tokenizer = self.task.load_tokenizer(candidate.directory)
        key = tokenizer_fingerprint(tokenizer)
        if key not in self._by_tokenizer:
            rows = self.task.load_split(self.dataset, self.split, tokenizer, self.max_seq_length)
            self._by_tokenizer[key] = rows, self.task.collator(tokenizer)
        return self._by_tokenizer[key]

    def score(self, candidate: CandidateFolder, engine: str, forward: Forward) -> Score:
        """The scores of a candidate whose outputs `forward` computes in an engine."""
        rows, collator = self.rows(candidate)
        predictions = predict(forward, self.task, rows, collator, _BATCH_SIZE)
        metrics = self.task.score(predictions, rows, self.examples)
        return Score(
            candidate=candidate.name,
            engine=engine,
            measured_on=candidate.name,
            value=metrics[self.task.primary_metric],
            metrics=metrics,
        )

    def data(self) -> Data:
        """The report's description of the rows."""
        return Data(
            task=self.schema.task,
            metric=self.task.primary_metric,
            split=self.split,
            num_rows=len(self.examples),
            num_rows_by_split=self.schema.num_rows,
            label_names=self.schema.label_names,
        )
