"""The training settings that every training step shares."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.errors import ConfigError, SparseCoreError, did_you_mean

if TYPE_CHECKING:
    from sparse_core.training.arguments import TrainingArguments

_OURS = (
    "output_dir",
    "num_train_epochs",
    "max_steps",
    "resume_from_checkpoint",
    "save_only_model",
    "overwrite_output_dir",
    "batch_eval_metrics",
    "label_names",
)
"""Arguments that a step, or the task, decides itself."""


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of a training, by the names that the steps, the command line and the pipelines use."""

    max_seq_length: int = 128
    per_device_train_batch_size: int = 32
    per_device_eval_batch_size: int = 64
    gradient_accumulation_steps: int = 1
    seed: int = 42
    training_arguments: str = ""

    def __post_init__(self) -> None:
        """Checks the ranges.

        Raises:
            ConfigError: a count below 1, or another seed than numpy takes.
        """
        from sparse_core.training.checks import AT_LEAST_ONE, RANGES, require_in_range

        for field in dataclasses.fields(self):
            require_in_range(field.name, getattr(self, field.name), {**RANGES, "max_seq_length": AT_LEAST_ONE})

    @contextmanager
    def named_as_written(self) -> Iterator[None]:
        """Lets the errors of the block say of an argument that it stands in `training_arguments`, if it does."""
        try:
            yield
        except SparseCoreError as error:
            if str(error).partition(":")[0] in parse_training_arguments(self.training_arguments):
                raise type(error)(f"training_arguments: {error}") from error.__cause__
            raise

    def to_hugging_face(self, output_dir: Path) -> TrainingArguments:
        """Hugging Face arguments for a training that keeps its checkpoints in `output_dir`.

        Raises:
            ConfigError: training_arguments is not a JSON object, names an argument that does not exist, or has a value
                that cannot be used.
            DependencyError: a value needs a package that is not installed.
        """
        import torch

        from sparse_core.training.arguments import TrainingArguments
        from sparse_core.training.checks import require_in_range, require_types, require_usable

        accepted = {field.name for field in dataclasses.fields(TrainingArguments) if field.init}
        further = parse_training_arguments(self.training_arguments)
        for name in further:
            if name in _OURS:
                raise ConfigError(
                    f"training_arguments: '{name}' is decided by the step, the recipe or the task; leave it out"
                )
            if name == "hub_token":
                raise ConfigError(
                    "training_arguments: 'hub_token' would stand in the clear among a step's settings; leave it out "
                    "and set the environment variable HF_TOKEN"
                )
            if name not in accepted:
                raise ConfigError(
                    f"training_arguments: '{name}' is not a Hugging Face training argument"
                    f"{did_you_mean(name, accepted)}"
                )
        values: dict[str, Any] = {
            "per_device_train_batch_size": self.per_device_train_batch_size,
            "per_device_eval_batch_size": self.per_device_eval_batch_size,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "seed": self.seed,
            "eval_strategy": "epoch",
            "save_strategy": "epoch",
            "disable_tqdm": True,
            "dataloader_pin_memory": torch.cuda.is_available(),
            "use_cpu": not torch.accelerator.is_available(),  # bf16 on a CPU is refused without it
            **further,
        }
        with self.named_as_written():
            require_types(further)
            for name, value in further.items():
                require_in_range(name, value)
            try:
                arguments = TrainingArguments(output_dir=str(output_dir), **values)
            except (TypeError, ValueError, NotImplementedError, ImportError, RuntimeError, OSError) as error:
                raise ConfigError(f"training_arguments: {' '.join(str(error).split())}") from None
            require_usable(arguments)
        return arguments


def parse_training_arguments(text: str) -> dict[str, Any]:
    """The JSON object in `text`; an empty text is an empty object.

    Raises:
        ConfigError: the text is not a JSON object.
    """
    try:
        value = json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise ConfigError(f"training_arguments: expected a JSON object, got '{text}' ({error})") from None
    if not isinstance(value, dict):
        raise ConfigError(f"training_arguments: expected a JSON object such as {{\"bf16\": true}}, got '{text}'")
    return value
