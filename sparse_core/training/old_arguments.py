"""Training arguments of transformers 4: each has its old effect, or the log says why not.

Python and the commands share this table, because the commands' flags have the same names. It was compared with the
TrainingArguments of transformers 4.40, the last version that SparseML ran with, and of the versions before.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

logger = logging.getLogger(__name__)


def is_true(value: Any) -> bool:
    """Whether a switch is on; on a command line its value is a text."""
    return str(value).strip().lower() in ("true", "yes", "y", "t", "1")


@dataclass(frozen=True)
class Renamed:
    """An argument with a new name.

    Attributes:
        to: the new name.
        on: value of the new argument where an old switch is on; None: the value stays as it is.
        off: value of the new argument where the old switch is off; None: the switch decided nothing.
    """

    to: str
    on: str | None = None
    off: str | None = None

    def value_of(self, old: Any) -> Any:
        """The new argument's value for a value of the old one; None: the old one decided nothing."""
        if self.on is None:
            return old
        return self.on if is_true(old) else self.off


RENAMED = {
    "evaluation_strategy": Renamed("eval_strategy"),
    "no_cuda": Renamed("use_cpu"),
    "per_gpu_train_batch_size": Renamed("per_device_train_batch_size"),
    "per_gpu_eval_batch_size": Renamed("per_device_eval_batch_size"),
    "push_to_hub_model_id": Renamed("hub_model_id"),
    "push_to_hub_token": Renamed("hub_token"),
    "warmup_ratio": Renamed("warmup_steps"),
    "adafactor": Renamed("optim", on="adafactor"),
    "group_by_length": Renamed("train_sampling_strategy", on="group_by_length", off="random"),
    "torchdynamo": Renamed("torch_compile_backend"),
    **{
        name: Renamed("accelerator_config", on=f'{{"{name}": true}}', off=f'{{"{name}": false}}')
        for name in ("split_batches", "dispatch_batches")
    },
}
"""Old name -> new name. `warmup_steps` below 1 is a share of all steps, as `warmup_ratio` was."""

RENAMED_VALUES = {"optim": {"adamw_hf": "adamw_torch"}}
"""Name -> old value -> new value."""

_TORCH_CHOOSES = "torch's own automatic mixed precision is the only one"
_GONE = "transformers no longer has it, and nothing takes its place"

IGNORED = {
    "save_safetensors": "weights are always saved as safetensors",
    "use_mps_device": "an accelerator is found without it",
    "jit_mode_eval": _GONE,
    "use_ipex": "Intel's extension is part of torch by now",
    "fp16_opt_level": _TORCH_CHOOSES,
    "fp16_backend": _TORCH_CHOOSES,
    "half_precision_backend": _TORCH_CHOOSES,
    "tpu_num_cores": "models are trained on CPUs and GPUs",
    "tpu_metrics_debug": "models are trained on CPUs and GPUs",
    "past_index": _GONE,
    "fsdp_min_num_params": "write it into fsdp_config, as '{\"min_num_params\": N}'",
    "fsdp_transformer_layer_cls_to_wrap": "write it into fsdp_config, as '{\"transformer_layer_cls_to_wrap\": [...]}'",
    "sharded_ddp": "fsdp takes its place",
    "xpu_backend": "ddp_backend takes its place",
    "use_legacy_prediction_loop": _GONE,
    "include_inputs_for_metrics": "the scores are computed batch by batch from what they need",
    "push_to_hub_organization": "write it into hub_model_id, as organization/name",
    "mp_parameters": "it was for a launcher that transformers no longer has",
    "ray_scope": "there is no search for hyperparameters here",
    "include_tokens_per_second": _GONE,
}
"""Old name -> why it does nothing."""

ENVIRONMENT = {"logging_dir": "TENSORBOARD_LOGGING_DIR"}
"""Old name -> the environment variable in its place, which is set to the argument's value."""

OLD_NAMES = (*RENAMED, *IGNORED, *ENVIRONMENT)


def new_argument(name: str, value: Any, written: str) -> tuple[str, Any] | None:
    """The new name and value of an old argument; one line in the log says them.

    Args:
        name: one of OLD_NAMES.
        value: its value; on a command line, a text.
        written: the name as the user wrote it, for the log; begins with hyphens where it is a flag.

    Returns:
        The new name and value; None: there is nothing to set.
    """
    if name in IGNORED:
        logger.warning("%s has no effect: %s", written, IGNORED[name])
        return None
    if name in ENVIRONMENT:
        os.environ[ENVIRONMENT[name]] = str(value)
        logger.info("%s: the environment variable %s is set to it; transformers reads that", written, ENVIRONMENT[name])
        return None
    renamed = RENAMED[name]
    new = renamed.value_of(value)
    if new is None:
        return None
    hyphens = "--" if written.startswith("-") else ""
    new_text = renamed.to if renamed.on is None else f"{renamed.to} {new}"  # a value of the user may be a secret
    logger.info("%s is called %s%s now, and is read as that", written, hyphens, new_text)
    return renamed.to, new


def new_value(name: str, value: Any, written: str) -> Any:
    """The new name of an old value; one line in the log says it.

    Args:
        name: of the argument.
        value: its value.
        written: how the user wrote the name.
    """
    new = RENAMED_VALUES.get(name, {}).get(value, value)
    if new != value:
        logger.info("%s %s is called %s now, and is read as that", written, value, new)
    return new


def renamed_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Training arguments with old names and values replaced by new ones.

    Where an old name and its new one are both given, one that is 0 or off gives way to the other, as `warmup_ratio` did
    to `warmup_steps`. An old one that is None counts as not given.

    Raises:
        TypeError: both are given, and neither is 0 or off.
    """
    renamed = {name: value for name, value in arguments.items() if name not in OLD_NAMES}
    for name, value in arguments.items():
        if name in OLD_NAMES and value is not None and (new := new_argument(name, value, name)) is not None:
            new_name, converted = new
            if renamed.get(new_name) and converted:
                raise TypeError(f"{name} is an old name of {new_name}, which is given too; leave one of them out")
            renamed[new_name] = renamed.get(new_name) or converted
    for name in renamed.keys() & RENAMED_VALUES.keys():
        renamed[name] = new_value(name, renamed[name], name)
    return renamed
