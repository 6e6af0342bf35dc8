"""Flags that other versions of transformers had, or that SparseML had and that mean nothing here.

Each works as it did, under its new name, or is passed over; either way one line says so. Compared with the
TrainingArguments of transformers 4.40, the last version that SparseML ran with, and of the versions before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sparse_core.training.arguments import RENAMED_ARGUMENTS


def _same(text: str) -> str:
    return text


def _is_true(text: str) -> bool:
    return text.strip().lower() in ("true", "yes", "y", "t", "1")


@dataclass(frozen=True)
class Renamed:
    """A flag with a new name.

    Attributes:
        to: the new flag, without hyphens.
        convert: the old value's text -> the new one's.
    """

    to: str
    convert: Callable[[str], str] = _same


RENAMED = {
    **{old: Renamed(new) for old, new in RENAMED_ARGUMENTS.items()},
    "warmup_ratio": Renamed("warmup_steps"),
    "adafactor": Renamed("optim", lambda text: "adafactor" if _is_true(text) else "adamw_torch"),
    "group_by_length": Renamed(
        "train_sampling_strategy", lambda text: "group_by_length" if _is_true(text) else "random"
    ),
    "torchdynamo": Renamed("torch_compile_backend"),
    "split_batches": Renamed(
        "accelerator_config", lambda text: f'{{"split_batches": {"true" if _is_true(text) else "false"}}}'
    ),
    "dispatch_batches": Renamed(
        "accelerator_config", lambda text: f'{{"dispatch_batches": {"true" if _is_true(text) else "false"}}}'
    ),
}
"""Old flag -> new flag. `warmup_steps` below 1 is a share of all steps, as `warmup_ratio` was."""

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
    "fsdp_min_num_params": "write it into --fsdp_config '{\"min_num_params\": N}'",
    "fsdp_transformer_layer_cls_to_wrap": "write it into --fsdp_config '{\"transformer_layer_cls_to_wrap\": [...]}'",
    "sharded_ddp": "--fsdp takes its place",
    "xpu_backend": "--ddp_backend takes its place",
    "use_legacy_prediction_loop": _GONE,
    "include_inputs_for_metrics": "the scores are computed batch by batch from what they need",
    "push_to_hub_organization": "write it into --hub_model_id organization/name",
    "mp_parameters": "it was for a launcher that transformers no longer has",
    "ray_scope": "there is no search for hyperparameters here",
    "include_tokens_per_second": _GONE,
}
"""Old flag -> why it does nothing."""

ENVIRONMENT = {"logging_dir": "TENSORBOARD_LOGGING_DIR"}
"""Old flag -> the environment variable in its place, which is set to the flag's value."""

REFUSED = {
    "trust_remote_code": "code from a model's repository is never run; use an architecture that transformers has",
}
"""Flag -> why it is an error."""
