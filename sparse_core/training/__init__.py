"""Training by a recipe, on Hugging Face's Trainer."""

from sparse_core.training.arguments import TrainingArguments
from sparse_core.training.trainer import Trainer

__all__ = ["Trainer", "TrainingArguments"]
