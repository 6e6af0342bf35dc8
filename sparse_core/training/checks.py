"""Checks of training arguments that Hugging Face's Trainer makes late or not at all."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

import transformers
from accelerate.utils import DynamoBackend  # type: ignore[import-untyped]
from pydantic import TypeAdapter, ValidationError
from transformers.integrations import get_available_reporting_integrations
from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK
from transformers.trainer_utils import has_length
from transformers.utils import is_liger_kernel_available

from sparse_core.errors import ConfigError, DependencyError, Setting, listed, nearest, shown
from sparse_core.modifiers.distillation.losses import MULTI_LABEL, REGRESSION, SPAN_OUTPUTS
from sparse_core.modifiers.pruning.report import sparsity_report
from sparse_core.training.arguments import TrainingArguments
from sparse_core.training.options import LARGEST_SEED
from sparse_core.training.teachers import head_of, problem_type_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sparse_core.recipe import Recipe

logger = logging.getLogger(__name__)

_COMPILE_MODES = ("default", "lite", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
_SPARSE = 0.05
"""Share of zeros from which a model was pruned on purpose."""


@dataclass(frozen=True)
class Range:
    """Numbers that can be used.

    Attributes:
        text: says which they are, after "expected".
        holds: whether a finite number is one of them.
    """

    text: str
    holds: Callable[[float], bool]


AT_LEAST_ONE = Range("1 or more", lambda value: value >= 1)
NOT_NEGATIVE = Range("0 or more", lambda value: value >= 0)
_POSITIVE = Range("more than 0", lambda value: value > 0)
_BELOW_ONE = Range("a value of 0 or more and below 1", lambda value: 0 <= value < 1)
_SEED = Range(f"a whole number from 0 to {LARGEST_SEED}", lambda value: 0 <= value <= LARGEST_SEED)

RANGES: Mapping[str, Range] = {
    **dict.fromkeys(
        (
            "per_device_train_batch_size",
            "per_device_eval_batch_size",
            "gradient_accumulation_steps",
            "eval_accumulation_steps",
            "save_total_limit",
        ),
        AT_LEAST_ONE,
    ),
    **dict.fromkeys(
        (
            "learning_rate",
            "weight_decay",
            "warmup_steps",
            "max_grad_norm",
            "dataloader_num_workers",
            "eval_delay",
            "adam_epsilon",
            "neftune_noise_alpha",
            "best_model_after_epoch",
        ),
        NOT_NEGATIVE,
    ),
    **dict.fromkeys(("num_train_epochs", "logging_steps", "save_steps", "eval_steps"), _POSITIVE),
    **dict.fromkeys(("adam_beta1", "adam_beta2", "label_smoothing_factor"), _BELOW_ONE),
    **dict.fromkeys(("seed", "data_seed"), _SEED),
}
"""Training argument -> what it may be."""


def require_in_range(name: str, value: Any, ranges: Mapping[str, Range] = RANGES) -> None:
    """Refuses a number that cannot be used; other values pass.

    Args:
        name: of the setting.
        value: its value.
        ranges: name -> what it may be; any finite number where it is not among them.

    Raises:
        ConfigError: the number is not finite, or out of its range.
    """
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    if not math.isfinite(value):
        raise ConfigError(name, accepted="a finite number", got=value)
    if name in ranges and not ranges[name].holds(value):
        raise ConfigError(name, accepted=ranges[name].text, got=value)


def require_types(values: Mapping[str, Any]) -> None:
    """Refuses values of the wrong type, such as a text for a number.

    Args:
        values: name of a training argument -> its value.

    Raises:
        ConfigError: a value has another type.
    """
    types = get_type_hints(TrainingArguments)
    for name, value in values.items():
        try:
            TypeAdapter(types[name]).validate_python(value, strict=True)
        except ValidationError as error:
            message = error.errors(include_url=False)[0]["msg"]
            raise ConfigError(name, f"{message[:1].lower()}{message[1:]}, got {shown(value)}") from None


def require_usable(training: transformers.TrainingArguments) -> None:
    """Refuses tools, kernels and compilers that are not installed, and arguments that need other arguments.

    Raises:
        ConfigError: a name is unknown, or an argument lacks another.
        DependencyError: a package is not installed.
    """
    known, installed = sorted(INTEGRATION_TO_CALLBACK), get_available_reporting_integrations()
    for name in training.report_to or ():
        if name not in known:
            accepted = f"one of {listed(('none', 'all', *known))}"
            raise ConfigError("report_to", accepted=accepted, got=name, fix=nearest(name, known))
        if name not in installed:
            raise DependencyError("report_to", f"{name} is not installed", fix="install it, or write none")
    if training.use_liger_kernel and not is_liger_kernel_available():
        raise DependencyError("use_liger_kernel", "liger-kernel is not installed", fix="install it, or leave it out")
    backends = [backend.lower() for backend in DynamoBackend.__members__]
    for name, value, accepted_values in (
        ("torch_compile_backend", training.torch_compile_backend, backends),
        ("torch_compile_mode", training.torch_compile_mode, _COMPILE_MODES),
    ):
        if value is not None and value.lower() not in accepted_values:
            raise ConfigError(
                name, accepted=f"one of {listed(accepted_values)}", got=value, fix=nearest(value, accepted_values)
            )
    if training.dataloader_persistent_workers and not training.dataloader_num_workers:
        raise ConfigError(
            "dataloader_persistent_workers",
            "needs worker processes",
            fix=("set ", Setting("dataloader_num_workers"), " to 1 or more"),
        )
    for part in (training.optim_args or "").replace(" ", "").split(","):
        if part and "=" not in part:
            raise ConfigError("optim_args", accepted="name=value,name=value", got=training.optim_args)
    if training.save_strategy == "best" and (training.metric_for_best_model is None or training.eval_strategy == "no"):
        raise ConfigError(
            "save_strategy",
            "best needs a score that decides, and evaluations",
            fix=(
                "set ",
                Setting("metric_for_best_model"),
                " and an ",
                Setting("eval_strategy"),
                " other than no, or save by steps or epoch",
            ),
        )


def require_length(dataset: Any) -> None:
    """Refuses training data without a length, because a recipe counts epochs.

    Raises:
        ConfigError: the data has no length.
    """
    if dataset is not None and not has_length(dataset):
        raise ConfigError(
            "train_dataset",
            f"a recipe counts epochs, and a {type(dataset).__name__} has no length",
            fix="give data that is not streamed, or train without a recipe",
        )


@contextmanager
def best_model_errors() -> Iterator[None]:
    """Turns Hugging Face's KeyError for an unknown metric_for_best_model into a ConfigError."""
    try:
        yield
    except KeyError as error:
        if "metric_for_best_model" not in str(error):
            raise
        raise ConfigError("metric_for_best_model", str(error.args[0])) from None


def require_batch(dataset: Any, args: transformers.TrainingArguments) -> None:
    """Refuses training data that dataloader_drop_last would empty.

    Raises:
        ConfigError: it has fewer rows than a batch.
    """
    if args.dataloader_drop_last and has_length(dataset) and len(dataset) < args.train_batch_size:
        raise ConfigError(
            "dataloader_drop_last",
            f"the {len(dataset)} training rows are fewer than a batch of {args.train_batch_size}, so none is left",
            fix=("leave it out, or lower ", Setting("per_device_train_batch_size")),
        )


def require_classes(model: nn.Module, labels: Tensor | None = None) -> None:
    """Refuses a label_smoothing_factor for labels that are not classes.

    Args:
        model: with its head.
        labels: of a batch, once there is one.

    Raises:
        ConfigError: the labels are positions, numbers, or several for a row.
    """
    problem_type = problem_type_of(model, labels)
    if head_of(model).outputs == SPAN_OUTPUTS:
        kind = "the positions of question answering"
    elif problem_type in (REGRESSION, MULTI_LABEL):
        kind = f"the labels of {problem_type}"
    else:
        return
    raise ConfigError("label_smoothing_factor", f"smooths classes, and cannot smooth {kind}", fix="leave it out")


def warn_of_lost_zeros(model: nn.Module, recipe: Recipe | None) -> None:
    """Warns that the zeros of a sparse model will be lost if the recipe does not prune."""
    sparsity = sparsity_report(model).encoder
    if sparsity > _SPARSE and (recipe is None or not recipe.prunes):
        logger.warning(
            "recipe: %.0f%% of the encoder's weights are zero, and nothing keeps them so in this training; to keep "
            "them, use a recipe with a modifier that keeps zeros, such as ConstantPruningModifier",
            100 * sparsity,
        )
