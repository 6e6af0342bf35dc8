"""Loads a model with the head of a task, and checks that all other weights are there."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.artifacts.model import Model
from sparse_core.errors import ModelError, Setting, SparseCoreError
from sparse_core.tasks.quiet import quiet_transformers

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

logger = logging.getLogger(__name__)

_PLACEHOLDER = re.compile(r"(LABEL_)?\d+", re.IGNORECASE)
_POOLER = ".pooler."  # encoders pretrained without a sentence objective come without one


@dataclass(frozen=True)
class Head:
    """The head of a model.

    Attributes:
        auto_class: name of the transformers class that loads models with it; empty for a head of another kind.
        outputs: the model's outputs that predictions are made from and that distillation matches, in its order.
        is_per_token: the outputs belong to tokens, so that teacher and student must read the same ones.
        has_labels: the outputs are for the labels of the model's config.
        has_fixed_inputs: a row has the same inputs in every epoch.
        is_pretraining: fine-tuning puts another head in its place.
    """

    auto_class: str = ""
    outputs: tuple[str, ...] = ("logits",)
    is_per_token: bool = True
    has_labels: bool = False
    has_fixed_inputs: bool = True
    is_pretraining: bool = False

    @property
    def class_ending(self) -> str:
        """End of the names of the models' classes, such as "ForMaskedLM"."""
        return self.auto_class.removeprefix("AutoModel")


def load_with_head(
    auto_class: Any,
    directory: Path,
    schema: DatasetSchema,
    *,
    trained_head: bool,
    one_label_per_row: bool = False,
    **config_values: Any,
) -> PreTrainedModel:
    """The model of a directory with the head of `auto_class`, for `schema.label_names` where there are any, float32.

    Args:
        auto_class: the transformers AutoModel class with the head.
        directory: Hugging Face directory, float or quantized.
        schema: of the data.
        trained_head: the head must be there and fit; otherwise one that is missing or of another size is made new.
        one_label_per_row: a head that is made new starts with the log-odds of that many right ones among all labels as
            the bias of its last layer; otherwise with 0.
        config_values: further values for the model's config.

    Raises:
        ModelError: the files are incomplete or damaged, the architecture has no such head, or the head does not fit.
    """
    Model(directory).config()
    Model(directory).weight_files()
    with quiet_transformers():
        model, own, loading = _load(auto_class, directory, schema, config_values)
    own_names = label_names(own)
    missing = set(loading["missing_keys"])
    mismatched = {key for key, *_ in loading["mismatched_keys"]}
    _require_body(directory, model, missing | mismatched)
    if trained_head:
        if mismatched:
            raise ModelError(
                "model", _misfit(directory, model, schema, own_names), fix="use a model trained on such data"
            )
        _require_trained_head(directory, schema, own_names, missing)
        _require_same_kind(directory, own.architectures, type(model).__name__)
        _require_same_meaning(directory, own.problem_type, model.config.problem_type)
        return model
    if mismatched:
        logger.warning("%s; a new head takes its place", _misfit(directory, model, schema, own_names))
    _renew_ranges(model, missing | mismatched)
    if one_label_per_row:
        _start_biases(model, missing | mismatched)
    return model


def label_names(config: PretrainedConfig) -> list[str]:
    """The labels in the order of the logits; a config.json may list them in another, such as "0", "1", "10", "2"."""
    return [config.id2label[index] for index in sorted(config.id2label)]


def _load(
    auto_class: Any, directory: Path, schema: DatasetSchema, config_values: dict[str, Any]
) -> tuple[PreTrainedModel, PretrainedConfig, dict[str, Any]]:
    """The model, the config that the directory has, and transformers' account of missing and mismatched keys."""
    import copy

    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig

    import sparse_core.modifiers.quantization.hf_quantizer  # noqa: F401  registers the loader of quantized checkpoints

    try:
        config = AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        own = copy.deepcopy(config)
        _set_labels(config, schema.label_names, config_values)
        model, loading = auto_class.from_pretrained(
            directory,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except SparseCoreError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError("model", f"{directory} cannot be loaded as {auto_class.__name__} ({reason})") from error
    return model, own, loading


def _set_labels(config: PretrainedConfig, label_names: list[str], config_values: dict[str, Any]) -> None:
    if label_names:
        config.id2label = dict(enumerate(label_names))
        config.label2id = {name: index for index, name in enumerate(label_names)}
    for name, value in config_values.items():
        setattr(config, name, value)


def _renew_ranges(model: PreTrainedModel, not_loaded: set[str]) -> None:
    """Takes the ranges of a head that was replaced out of a quantized model, and lets all ranges move again."""
    from sparse_core.modifiers.quantization.hf_quantizer import quantization_of, set_phase
    from sparse_core.modifiers.quantization.modules import reset_ranges

    new = {key.removesuffix(".weight") for key in not_loaded if key.endswith(".weight")}
    if quantization_of(model) is None or not new:
        return
    for name in new:
        reset_ranges(model.get_submodule(name))
    set_phase(model, "observing")


def _start_biases(model: PreTrainedModel, not_loaded: set[str]) -> None:
    """The bias of a new head's last layer, which is the last of the new ones with a value for each of the n labels.

    -ln n is the logit of 1 in n + 1, which is defined for a single label too.
    """
    num_labels = model.config.num_labels
    new = [
        parameter
        for name, parameter in model.named_parameters()
        if name in not_loaded and name.endswith(".bias") and parameter.shape == (num_labels,)
    ]
    for bias in new[-1:]:
        bias.data.fill_(-math.log(num_labels))


def _require_body(directory: Path, model: PreTrainedModel, not_loaded: set[str]) -> None:
    prefix = f"{model.base_model_prefix}."
    body = [key for key in sorted(not_loaded) if key.startswith(prefix) and _POOLER not in key]
    if body:
        raise ModelError(
            "model",
            f"the weights of {directory} lack, or have in another shape, {len(body)} tensors that its config.json asks "
            f"for, first '{body[0]}'; the two do not belong together",
        )


def _misfit(directory: Path, model: PreTrainedModel, schema: DatasetSchema, own_names: list[str]) -> str:
    """How the head of a directory differs from the one that was asked for."""
    if not schema.label_names:
        return f"the head of {directory} has another shape than that of {type(model).__name__} for this data"
    return (
        f"the head of {directory} is for {len(own_names)} labels ({_listed(own_names)}), the data has "
        f"{schema.num_labels} ({_listed(schema.label_names)})"
    )


def _require_trained_head(directory: Path, schema: DatasetSchema, own_names: list[str], missing: set[str]) -> None:
    if missing:
        raise ModelError(
            "model",
            f"{directory} has no trained head ({sorted(missing)[0]} is missing)",
            fix="fine-tune it on this data first, or use a model that was trained on this task",
        )
    if _are_names(own_names) and _are_names(schema.label_names) and own_names != schema.label_names:
        raise ModelError(
            "model",
            f"{directory} predicts the labels {_listed(own_names)}, but the data has {_listed(schema.label_names)}, in "
            "this order",
            fix="use a model trained on these labels",
        )


def _require_same_kind(directory: Path, own: list[str] | None, wanted: str) -> None:
    """Heads of two kinds may have weights of the same names and shapes: those for texts and for tokens do."""
    if own and wanted not in own:
        raise ModelError("model", f"{directory} is a {own[0]}, not a {wanted}", fix="use a model trained on this task")


def _require_same_meaning(directory: Path, own: str | None, wanted: str | None) -> None:
    if own is not None and wanted is not None and own != wanted:
        raise ModelError(
            "model",
            f"{directory} is for {own}, the data for {wanted}",
            fix=("use a model trained on such labels, or correct ", Setting("task_args.problem_type")),
        )


def _are_names(labels: Iterable[str]) -> bool:
    """Whether the labels say something: numbers and transformers' LABEL_0 are placeholders."""
    return not all(_PLACEHOLDER.fullmatch(label) for label in labels)


def _listed(labels: list[str], limit: int = 10) -> str:
    return ", ".join(labels[:limit]) + (f", … {len(labels)} in all" if len(labels) > limit else "")
