"""The tasks: how rows are loaded, tokenized, batched and scored. Importing this imports no torch."""

from sparse_core.tasks.base import Task
from sparse_core.tasks.registry import TASKS, get_task
from sparse_core.tasks.schema import DatasetSchema, read_schema
from sparse_core.tasks.tokenizers import load_tokenizer, require_same_tokenizer, same_tokenizer

__all__ = [
    "TASKS",
    "DatasetSchema",
    "Task",
    "get_task",
    "load_tokenizer",
    "read_schema",
    "require_same_tokenizer",
    "same_tokenizer",
]
