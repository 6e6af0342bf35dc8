"""Teachers: which outputs of a head are matched, where a teacher comes from, and what it reads."""

from __future__ import annotations

import copy
import logging
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import transformers
from torch import Tensor, nn

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.artifacts.model import TOKENIZER_NAMES, Model
from sparse_core.errors import ModelError, Setting, renamed_settings
from sparse_core.modifiers.distillation.losses import MULTI_LABEL, REGRESSION
from sparse_core.modifiers.distillation.teacher import Collator
from sparse_core.sources.models.find import copy_model, find_model
from sparse_core.tasks import TASKS, task_class
from sparse_core.tasks.heads import Head, label_names, load_with_head
from sparse_core.tasks.tokenizers import load_tokenizer, tokenizer_difference

if TYPE_CHECKING:
    from datasets import Dataset

    from sparse_core.tasks.base import Task

logger = logging.getLogger(__name__)

NO_TEACHER = "disable"
SELF_TEACHER = "self"
TEACHER_INPUT_PREFIX = "distill_teacher:"
"""Start of the names of the columns with a teacher's own tokens, as SparseML's tutorials write them."""


@dataclass(frozen=True)
class Teacher:
    """A teacher, and its own tokens if it does not read the student's.

    Attributes:
        model: gives the outputs.
        dataset: the rows of the training data, tokenized for the teacher; None: it reads the student's.
        collator: makes batches of `dataset`; None: as of the student's.
    """

    model: nn.Module
    dataset: Dataset | None = None
    collator: Collator | None = None


def head_of(model: nn.Module) -> Head:
    """The kind of head that a model has."""
    name = type(model).__name__
    heads = (task_class(task).head for task in TASKS)
    return next((head for head in heads if name.endswith(head.class_ending)), Head())


def problem_type_of(model: nn.Module, labels: Tensor | None) -> str | None:
    """What a sequence classifier's outputs mean, by its config or, as transformers does, by the labels.

    Args:
        model: any model.
        labels: of a batch.
    """
    config = getattr(model, "config", None)
    if head_of(model).is_per_token or config is None:
        return None
    if config.problem_type is not None:
        return config.problem_type
    if config.num_labels == 1:
        return REGRESSION
    return MULTI_LABEL if labels is not None and labels.is_floating_point() else None


def resolve_teacher(
    teacher: nn.Module | str | Path, model: nn.Module, tokenizer: Any, *, has_own_tokens: bool
) -> nn.Module:
    """The teacher that a user named.

    Args:
        teacher: the model itself, "self", a directory or a hub id.
        model: the student as it starts.
        tokenizer: the student's; None where it is not known.
        has_own_tokens: the teacher gets tokens of its own.

    Raises:
        ModelError: the teacher cannot be found or loaded, has no head that fits the student's, or another tokenizer.
    """
    if isinstance(teacher, nn.Module):
        return teacher
    if str(teacher) == SELF_TEACHER:
        return copy.deepcopy(model)
    with renamed_settings({"model": "distill_teacher"}):
        directory = find_model(str(teacher))
    if tokenizer is not None and not has_own_tokens and any((directory / name).is_file() for name in TOKENIZER_NAMES):
        of_teacher = load_tokenizer(directory)
        if of_teacher.get_vocab() != tokenizer.get_vocab():  # the rows are tokens already
            raise ModelError(
                "teacher",
                f"{directory} has another tokenizer than the model: {tokenizer_difference(tokenizer, of_teacher)}",
                fix=_advice(head_of(model), "give the teacher's own tokens as teacher_dataset"),
            )
    if not Model(directory).has_pickled_weights():
        return _load(directory, model)
    with TemporaryDirectory(prefix="teacher-") as converted:
        copy_model(directory, Path(converted))
        return _load(Path(converted), model)


def _load(directory: Path, model: nn.Module) -> nn.Module:
    head = head_of(model)
    if not head.auto_class:
        return type(model).from_pretrained(directory, local_files_only=True)  # type: ignore[attr-defined]
    config: Any = model.config
    names = label_names(config) if head.has_labels else []
    schema = DatasetSchema(task="", source_columns={}, label_names=names, num_rows={})
    auto_class = getattr(transformers, head.auto_class)
    problem_type = problem_type_of(model, None)
    meaning: dict[str, Any] = {} if problem_type is None else {"problem_type": problem_type}
    with renamed_settings({"model": "distill_teacher"}):
        return load_with_head(auto_class, directory, schema, trained_head=True, **meaning)


def teacher_rows(
    task: Task,
    student: nn.Module,
    model: Path,
    teacher: Path,
    dataset: Path,
    max_seq_length: int,
    *,
    use_teacher_tokenizer: bool,
) -> dict[str, Any]:
    """What a Trainer needs so that a teacher reads its own tokens: `teacher_dataset` and `teacher_collator`.

    Args:
        task: of the data.
        student: the model to train.
        model: its directory.
        teacher: directory of the teacher.
        dataset: Dataset artifact.
        max_seq_length: most tokens in a row, also of the teacher's.
        use_teacher_tokenizer: the teacher may have another tokenizer.

    Returns:
        Arguments of `Trainer`; empty where the teacher can read the student's tokens. It cannot where its tokenizer
        makes the same ids and more inputs, such as the `token_type_ids` that tell a BERT, but no DistilBERT, which of
        two texts a token is of.

    Raises:
        ModelError: the tokenizers differ, and that was not asked for or cannot be; or the teacher cannot read as many
            tokens.
    """
    own, tokenizer = task.load_tokenizer(model), task.load_tokenizer(teacher)
    head = head_of(student)
    difference = tokenizer_difference(own, tokenizer)
    if not difference:
        if tokenizer.model_max_length < max_seq_length:
            raise ModelError(
                "teacher",
                f"{teacher} reads at most {tokenizer.model_max_length} tokens, and rows have up to {max_seq_length}",
                fix=("lower ", Setting("max_seq_length"), ", or use a teacher that reads as many"),
            )
        if not head.has_fixed_inputs or set(tokenizer.model_input_names) <= set(own.model_input_names):
            return {}
    elif head.is_per_token or not use_teacher_tokenizer:
        raise ModelError(
            "teacher",
            f"{teacher} has another tokenizer than the model {model}: {difference}",
            fix=_advice(head, "set ", Setting("use_teacher_tokenizer"), ", so that the teacher reads its own tokens"),
        )
    logger.info("teacher: %s reads the tokens of its own tokenizer", teacher)
    return {
        "teacher_dataset": task.load_split(
            dataset, "train", tokenizer, min(max_seq_length, tokenizer.model_max_length)
        ),
        "teacher_collator": task.collator(tokenizer),
    }


def _advice(head: Head, *fix: str | Setting) -> tuple[str | Setting, ...]:
    train_another = "train a teacher that starts from the model's tokenizer"
    if head.is_per_token:
        return ("the outputs of this task belong to tokens, so both must read the same ones; ", train_another)
    return (*fix, f", or {train_another}")


def without_teacher_inputs(dataset: Any) -> tuple[Any, Dataset | None]:
    """Splits off the columns `distill_teacher:<input>` as a separate data set.

    Args:
        dataset: any training or evaluation data.

    Returns:
        The data without these columns, and those of the teacher under the teacher's names; None where there are none.
    """
    names = [name for name in getattr(dataset, "column_names", None) or [] if name.startswith(TEACHER_INPUT_PREFIX)]
    if not names:
        return dataset, None
    own = dataset.select_columns(names)
    own = own.rename_columns({name: name.removeprefix(TEACHER_INPUT_PREFIX) for name in names})
    return dataset.remove_columns(names), own
