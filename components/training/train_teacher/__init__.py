"""The component `train_teacher`."""

from sparse_pipelines.components.training.train_teacher.component import train_teacher

__all__ = ["train_teacher"]
