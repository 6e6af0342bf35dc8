"""The tasks: how rows are loaded, tokenized, batched and scored. Importing this imports no torch."""

from sparse_core.artifacts.dataset import DatasetSchema, read_schema
from sparse_core.tasks.base import Task, TaskOptions
from sparse_core.tasks.data import read_examples
from sparse_core.tasks.registry import TASKS, get_task, task_class, task_commands, task_of
from sparse_core.tasks.rows import ColumnChoice, MissingValueError, RowReader
from sparse_core.tasks.tokenizers import load_tokenizer

__all__ = [
    "TASKS",
    "ColumnChoice",
    "DatasetSchema",
    "MissingValueError",
    "RowReader",
    "Task",
    "TaskOptions",
    "get_task",
    "load_tokenizer",
    "read_examples",
    "read_schema",
    "task_class",
    "task_commands",
    "task_of",
]
