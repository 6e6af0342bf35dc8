"""Columns and scores of the tasks that SparseML's `task_name` knows for text classification: GLUE's, and imdb.

GLUE: Wang et al. 2019, "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language Understanding",
table 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sparse_core.errors import DataError, Setting, listed, nearest

GLUE_ID = "nyu-mll/glue"
IMDB_ID = "stanfordnlp/imdb"


@dataclass(frozen=True)
class NamedTask:
    """A data set with a known form.

    Attributes:
        hub_id: where it is on the hub.
        config: its configuration there; empty: it has one only.
        text_column: column with the text, or two separated by a comma.
        metrics: its scores, the first of them to compare models by.
        problem_type: the kind of label.
        has_test_labels: whether the test split on the hub has labels; those of GLUE are not public.
    """

    hub_id: str
    config: str
    text_column: str
    metrics: tuple[str, ...] = ("accuracy",)
    problem_type: str = "single_label_classification"
    has_test_labels: bool = field(default=False, kw_only=True)

    @property
    def task_args(self) -> dict[str, Any]:
        """Options of text_classification."""
        return {"metrics": list(self.metrics), "problem_type": self.problem_type}


NAMED_TASKS = {
    "cola": NamedTask(GLUE_ID, "cola", "sentence", ("matthews_correlation",)),
    "sst2": NamedTask(GLUE_ID, "sst2", "sentence"),
    "mrpc": NamedTask(GLUE_ID, "mrpc", "sentence1,sentence2", ("accuracy", "f1")),
    "qqp": NamedTask(GLUE_ID, "qqp", "question1,question2", ("accuracy", "f1")),
    "stsb": NamedTask(GLUE_ID, "stsb", "sentence1,sentence2", ("pearson", "spearmanr"), "regression"),
    "mnli": NamedTask(GLUE_ID, "mnli", "premise,hypothesis"),
    "qnli": NamedTask(GLUE_ID, "qnli", "question,sentence"),
    "rte": NamedTask(GLUE_ID, "rte", "sentence1,sentence2"),
    "wnli": NamedTask(GLUE_ID, "wnli", "sentence1,sentence2"),
    "imdb": NamedTask(IMDB_ID, "", "text", has_test_labels=True),
}


def named_task(name: str) -> NamedTask:
    """The task of that name, in whatever case it is written.

    Raises:
        DataError: there is none.
    """
    if name.lower() not in NAMED_TASKS:
        raise DataError(
            "task_name",
            f"unknown task '{name}' for text_classification",
            accepted=f"one of {listed(NAMED_TASKS)}",
            fix=(
                f"{suggestion}; " if (suggestion := nearest(name.lower(), NAMED_TASKS)) else "",
                "for another data set leave it empty and give ",
                Setting("dataset_name"),
                " or ",
                Setting("train_file"),
            ),
        )
    return NAMED_TASKS[name.lower()]


def task_on_hub(hub_id: str, config: str) -> NamedTask | None:
    """The task whose data a hub data set is, if it is one of GLUE's."""
    task = NAMED_TASKS.get(config)
    return task if task is not None and task.hub_id == hub_id == GLUE_ID else None
