"""Text classification: one class, several labels, or a number for a text or a pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from sparse_core.errors import ConfigError
from sparse_core.sources.data.glue import NAMED_TASKS
from sparse_core.tasks.base import Collator, Task, TaskOptions
from sparse_core.tasks.collate import PaddingCollator
from sparse_core.tasks.heads import Head
from sparse_core.tasks.pairs import room_for_pair
from sparse_core.tasks.predicted import Predicted, write_lines
from sparse_core.tasks.rows import ColumnChoice, RowReader
from sparse_core.tasks.text_classification.rows import (
    MULTI_LABEL,
    REGRESSION,
    SINGLE_LABEL,
    ProblemType,
    TextReader,
    as_number,
)

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast

    from sparse_core.sources.data.rows import RowSource

MetricName = Literal["accuracy", "f1", "matthews_correlation", "pearson", "spearmanr"]
_NUMBER_METRICS = ("pearson", "spearmanr")


class TextClassificationOptions(TaskOptions):
    """Options of text classification."""

    problem_type: ProblemType = Field("", description="kind of label; empty: the label column decides it")
    threshold: float = Field(
        0.3, ge=0.0, le=1.0, description="a row of several labels has each label with at least this probability, 0 to 1"
    )
    metrics: tuple[MetricName, ...] = Field(
        (),
        description="scores of classes or numbers; the first compares models; empty: accuracy and the mean F1 of the "
        "classes, or pearson, spearmanr and mse; f1 of two classes is that of the second",
    )
    num_labels: int = Field(
        0, ge=0, description="number of labels; 0: as the data has; another number than the data has is an error"
    )
    agreement_tolerance: float = Field(
        0.0,
        ge=0.0,
        description="largest difference at which two engines' numbers agree in a regression; unset: 5% of the standard "
        "deviation of the training labels",
    )


class TextClassification(Task):
    """A class, several labels, or a number for one or two texts.

    A prediction is the index of the class (int), the logits of all labels (float32 array), or the number (float).
    """

    name = "text_classification"
    options_class = TextClassificationOptions
    options: TextClassificationOptions
    head = Head("AutoModelForSequenceClassification", is_per_token=False, has_labels=True)
    prediction_files = rf"predict_results(_({'|'.join((*NAMED_TASKS, 'mnli-mm', 'mm'))}))?\.txt"

    def __init__(self, task_args: Mapping[str, Any] | None = None) -> None:
        """Takes the options.

        Raises:
            ConfigError: an option is unknown or out of range, or a metric does not fit the kind of label.
        """
        super().__init__(task_args)
        misfits = {MULTI_LABEL: self.options.metrics, REGRESSION: self._class_metrics()}.get(self.options.problem_type)
        if misfits:
            accepted = "pearson and spearmanr" if self.options.problem_type == REGRESSION else "none"
            raise ConfigError(
                "task_args.metrics", f"{misfits[0]} is no score of {self.options.problem_type}", accepted=accepted
            )

    def _class_metrics(self) -> list[str]:
        return [name for name in self.options.metrics if name not in _NUMBER_METRICS]

    @property
    def primary_metric(self) -> str:
        """The first of the option `metrics`; else accuracy, micro F1 of several labels, or Pearson's correlation."""
        if self.options.metrics:
            return self.options.metrics[0]
        return {MULTI_LABEL: "f1", REGRESSION: "pearson"}.get(self.options.problem_type, "accuracy")

    def row_reader(self, train: RowSource, choice: ColumnChoice) -> RowReader:
        """One text column or two, and a label column; see `Task.row_reader`.

        Raises:
            ConfigError: the option `metrics` does not fit the kind of label that was found.
        """
        reader = TextReader(train, choice, self.options.problem_type)
        TextClassification({**self.options.model_dump(), "problem_type": reader.problem_type})
        return reader

    def final_options(self, reader: RowReader) -> dict[str, Any]:
        """See `Task.final_options`; a tolerance that the user gave is kept."""
        options, chosen = super().final_options(reader), self.options
        names = reader.labels.names if reader.labels is not None else []
        num_outputs = len(names) or 1
        if chosen.num_labels not in (0, num_outputs):
            raise ConfigError(
                "task_args.num_labels",
                accepted=f"{num_outputs}, as the data has",
                got=chosen.num_labels,
                fix="leave it out",
            )
        if "agreement_tolerance" in chosen.model_fields_set:
            if options["problem_type"] != REGRESSION:
                raise ConfigError(
                    "task_args.agreement_tolerance",
                    f"{chosen.agreement_tolerance} has no effect in {options['problem_type']}",
                    fix="leave it out; it is for regression",
                )
            options["agreement_tolerance"] = chosen.agreement_tolerance
        no_number = next((name for name in names if as_number(name) is None), None)
        misfits = [name for name in chosen.metrics if name in _NUMBER_METRICS]
        if no_number is not None and misfits:
            raise ConfigError(
                "task_args.metrics",
                f"{misfits[0]} needs numbers, and the class '{no_number:.40}' is none",
                accepted="accuracy, f1 and matthews_correlation",
            )
        return options

    @classmethod
    def options_of_model(cls, config: Mapping[str, Any]) -> dict[str, Any]:
        """The kind of label, where the model says it."""
        return {"problem_type": config["problem_type"]} if config.get("problem_type") else {}

    def head_values(self) -> dict[str, Any]:
        """The kind of label, and how a new head starts.

        A new head for several labels starts as if each row had one of them (the prior of Lin et al. 2017,
        arXiv:1708.02002). From logits of 0, which is half of all labels, the first steps bring the logits down through
        the encoder more than through the bias, and its outputs become alike for all rows.
        """
        values: dict[str, Any] = {"num_labels": 1} if self.options.problem_type == REGRESSION else {}
        return {
            **values,
            "one_label_per_row": self.options.problem_type == MULTI_LABEL,
            "problem_type": self.options.problem_type or SINGLE_LABEL,
        }

    def tokenize(
        self, rows: dict[str, list], numbers: Sequence[int], tokenizer: PreTrainedTokenizerFast, max_seq_length: int
    ) -> dict[str, list]:
        """Ids of `text` and `text_pair`, and `labels`: the class's index, the number, or 0.0 and 1.0 for each label.

        Rows without `label` get no `labels`.

        Raises:
            ConfigError: max_seq_length has no room for both texts of a pair.
        """
        if "text_pair" in rows:
            room_for_pair(tokenizer, max_seq_length)
        encoding = tokenizer(rows["text"], rows.get("text_pair"), truncation=True, max_length=max_seq_length)
        labels = rows.get("label")
        if labels is None:
            return dict(encoding)
        if self.options.problem_type == MULTI_LABEL:
            labels = [[float(index in row) for index in range(self.options.num_labels)] for row in map(set, labels)]
        return {**encoding, "labels": labels}

    def collator(
        self, tokenizer: PreTrainedTokenizerFast, *, training: bool = False, pad_to: int | None = None
    ) -> Collator:
        """`labels` are (batch,) int64, (batch,) float32, or (batch, labels) float32."""
        return PaddingCollator(tokenizer, per_row=("labels",), pad_to=pad_to)

    def predictions(self, outputs: Mapping[str, np.ndarray], rows: Mapping[str, list]) -> list[Any]:
        """Of each row: the class's index, the logits of all labels, or the number."""
        logits = outputs["logits"]
        if self.options.problem_type == MULTI_LABEL:
            return list(logits)
        if self.options.problem_type == REGRESSION:
            return logits[:, 0].tolist()
        return logits.argmax(axis=-1).tolist()

    def score(self, predictions: Sequence[Any], rows: Dataset, examples: Dataset) -> dict[str, float]:
        """The scores of the option `metrics`, or all that are customary for the kind of label; see `metrics.py`.

        Several that were chosen also have a `combined_score`, their mean, as in Hugging Face's script for GLUE.
        """
        import numpy as np

        from sparse_core.tasks.text_classification import metrics

        labels = np.asarray(rows.with_format("numpy")["labels"][:])
        names = self.options.metrics
        if self.options.problem_type == MULTI_LABEL:
            return metrics.label_set_metrics(self._chosen(predictions), labels > 0)
        values = np.asarray(predictions)
        if self.options.problem_type == REGRESSION:
            scores = metrics.number_metrics(values, labels, names or (*_NUMBER_METRICS, "mse"))
        elif names:
            scores = metrics.class_metrics(values, labels, self.options.num_labels, names)
        else:
            scores = {"accuracy": float(np.mean(values == labels)), "f1": metrics.macro_f1(values, labels)}
        return {**scores, "combined_score": sum(scores.values()) / len(scores)} if len(names) > 1 else scores

    def write_predictions(self, directory: Path, name: str, predicted: Predicted) -> Path:
        """`predict_results[_name].txt`, index and label of each row; see `Task.write_predictions`."""
        from sparse_core.tasks.text_classification.predictions import prediction_lines

        lines = prediction_lines(self.options, predicted.schema.label_names, predicted.predictions)
        return write_lines(directory / f"predict_results{name and f'_{name}'}.txt", lines)

    def agreement(self, first: Sequence[Any], second: Sequence[Any]) -> float:
        """Share of rows with the same class, of label decisions that are alike, or of numbers near one another."""
        import numpy as np

        if self.options.problem_type == MULTI_LABEL:
            return float(np.mean(self._chosen(first) == self._chosen(second)))
        if self.options.problem_type == REGRESSION:
            return float(np.mean(np.abs(np.subtract(first, second)) <= self.options.agreement_tolerance))
        return float(np.mean(np.equal(first, second)))

    def _chosen(self, predictions: Sequence[np.ndarray]) -> np.ndarray:
        """(rows, labels) bool: the labels whose probability, the sigmoid of the logit, reaches the threshold."""
        import numpy as np

        with np.errstate(over="ignore"):  # exp of a very negative logit is infinite, and its probability 0
            return 1 / (1 + np.exp(-np.stack(predictions).astype(np.float64))) >= self.options.threshold
