"""Quantization-aware training: when a model is quantized, and when its ranges freeze."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from sparse_core.errors import RecipeError
from sparse_core.modifiers.base import UNSET_EPOCH, ActiveModifier, Modifier, Segment, TrainingContext
from sparse_core.modifiers.quantization.settings import QuantizationSettings

if TYPE_CHECKING:
    from torch import nn


class QuantizationModifier(Modifier):
    """Simulates int8 in the forward pass from start_epoch on, and freezes the ranges at a later epoch.

    Source: Jacob et al. 2018, section 3.
    """

    description: ClassVar[str] = "quantization-aware training"
    only_one: ClassVar[bool] = True
    sparseml_defaults: ClassVar[dict[str, Any]] = {
        "model_fuse_fn_name": None,
        "model_fuse_fn_kwargs": None,
        "reduce_range": False,
        "quantize_conv_activations": True,
        "quantize_embedding_activations": True,
        "activation_bits": 8,
        "num_calibration_steps": None,
        "exclude_batchnorm": True,
        "custom_quantizable_module_types": None,
        "activation_qconfig_kwargs": None,
        "weight_qconfig_kwargs": None,
        "tensorrt": False,
        "scheme": None,
        "scheme_overrides": None,
        "ignore": None,
        "strict": True,
    }

    end_epoch: float = Field(UNSET_EPOCH, ge=-1.0, le=-1.0, description="Must be -1: QAT lasts to the end.")
    submodules: list[str] | None = Field(None, description="Submodules to quantize; unset: the whole model.")
    disable_quantization_observer_epoch: float | None = Field(
        None, ge=0.0, description="Epoch from which scales and zero points no longer move."
    )
    freeze_bn_stats_epoch: float | None = Field(None, ge=0.0, description="Epoch from which BatchNorm is frozen.")
    quantize_embeddings: bool = Field(True, description="Quantize embedding tables to int8.")
    quantize_linear_activations: bool = Field(True, description="Quantize the outputs of Linear layers as well.")
    quantize_attention: bool | None = Field(
        None, description="Quantize the operands of both attention matmuls; unset: where the model allows it."
    )
    exclude_module_types: list[str] | None = Field(None, description="Class names of modules left in float.")
    weight_bits: int = Field(7, ge=2, le=8, description="Bits of a Linear weight; see docs/quantization.md.")

    @model_validator(mode="after")
    def _observes_before_freezing(self) -> QuantizationModifier:
        freeze_epoch = self.disable_quantization_observer_epoch
        if freeze_epoch is not None and freeze_epoch <= self.begins_at:
            raise RecipeError(
                "disable_quantization_observer_epoch",
                accepted=f"an epoch after start_epoch ({self.begins_at:g}), so that the ranges see data first",
                got=freeze_epoch,
            )
        return self

    @property
    def quantizes_at(self) -> float | None:
        """start_epoch."""
        return self.begins_at

    def segments(self, num_epochs: float) -> Sequence[Segment]:
        """The epochs in which the ranges move, and those in which they are frozen."""
        start, end, frozen_at = self.begins_at, self.ends_at(num_epochs), self.disable_quantization_observer_epoch
        if frozen_at is None:
            return super().segments(num_epochs)
        return [Segment(start, frozen_at, "measure ranges"), Segment(frozen_at, end, "ranges frozen", holds=True)]

    def require_length(self, num_epochs: float) -> None:
        """Refuses a start at or after the recipe's end.

        Raises:
            RecipeError: nothing would be trained quantized.
        """
        if self.begins_at >= num_epochs:
            raise RecipeError(
                "start_epoch",
                "nothing would be trained quantized",
                accepted=f"an epoch before the recipe's last ({num_epochs:g})",
                got=self.begins_at,
            )

    def ineffective_settings(self, num_epochs: float) -> Iterator[tuple[str, str]]:
        """Epochs at or after the recipe's end, and what every modifier reports."""
        for field in ("disable_quantization_observer_epoch", "freeze_bn_stats_epoch"):
            epoch = getattr(self, field)
            if epoch is not None and epoch >= num_epochs:
                yield field, f"{epoch:g} is not below the recipe's last epoch, {num_epochs:g}"
        yield from super().ineffective_settings(num_epochs)

    def model_notes(self, model: nn.Module) -> list[str]:
        """Says that freeze_bn_stats_epoch changes nothing where there is no BatchNorm."""
        # by name, so that this file needs no torch when it is imported
        has_batch_norm = any("BatchNorm" in type(module).__name__ for module in model.modules())
        if self.freeze_bn_stats_epoch is None or has_batch_norm:
            return []
        return [f"freeze_bn_stats_epoch has no effect: {type(model).__name__} has no BatchNorm module"]

    @property
    def settings(self) -> QuantizationSettings:
        """The structure that the recipe asks for."""
        return QuantizationSettings(
            submodules=None if self.submodules is None else tuple(self.submodules),
            exclude_module_types=tuple(self.exclude_module_types or ()),
            quantize_embeddings=self.quantize_embeddings,
            quantize_linear_activations=self.quantize_linear_activations,
            quantize_attention=self.quantize_attention,
            weight_bits=self.weight_bits,
        )

    def matched_parameters(self, model: nn.Module) -> list[str]:
        """Names of the weights that would be quantized: those of Linear layers, then embedding tables."""
        from sparse_core.modifiers.quantization.targets import quantization_targets

        targets = quantization_targets(model, self.settings)
        return [f"{name}.weight" for name in (*targets.linears, *targets.embeddings)]

    def require_fit(self, model: nn.Module) -> None:
        """Refuses settings that do not fit `model` before training, not at start_epoch.

        Raises:
            RecipeError: a submodule or module type is unknown, or the model is quantized in another way already.
            ModelError: the weights are not float32.
        """
        from sparse_core.modifiers.quantization.hf_quantizer import quantization_of, require_float32
        from sparse_core.modifiers.quantization.targets import quantization_targets, settings_for

        quantization_targets(model, self.settings)
        require_float32(model)
        present = quantization_of(model)
        wanted = settings_for(model, self.settings)
        if present is not None and present.settings != wanted:
            raise RecipeError(
                type(self).__name__,
                f"the model was quantized with {present.settings.to_dict()} and the recipe asks for {wanted.to_dict()}",
                fix="use the same settings, or start from a model without quantization",
            )

    def activate(self, training: TrainingContext) -> ActiveQuantization:
        """Run state for one training."""
        return ActiveQuantization(self, training)


class ActiveQuantization(ActiveModifier):
    """Quantizes the model at start_epoch, and moves or freezes its ranges at every step."""

    def __init__(self, modifier: QuantizationModifier, training: TrainingContext) -> None:
        """Prepares to quantize the model of `training`."""
        self._modifier = modifier
        self._model = training.model
        self._steps_per_epoch = training.steps_per_epoch
        self._has_frozen_batch_norm = False

    def before_step(self, epoch: float) -> None:
        """Quantizes the model at the first step from start_epoch on, and freezes the ranges from their epoch on."""
        if epoch < self._modifier.begins_at:
            return
        # The step that quantizes the model never freezes: the ranges must see at least one batch.
        if not self._quantize():
            self._set_phase(epoch)
        self._freeze_batch_norm(epoch)

    def restore_structure(self, epoch: float) -> None:
        """Quantizes the model if the last step before `epoch` trained it quantized."""
        last_step_epoch = (round(epoch * self._steps_per_epoch) - 1) / self._steps_per_epoch
        if last_step_epoch >= self._modifier.begins_at:
            self._quantize()
            self._set_phase(last_step_epoch)

    def _quantize(self) -> bool:
        """Quantizes the model if it is not quantized yet, and says whether it did."""
        from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization, quantization_of

        if quantization_of(self._model) is not None:
            return False
        apply_quantization(self._model, self._modifier.settings)
        return True

    def _set_phase(self, epoch: float) -> None:
        from sparse_core.modifiers.quantization.hf_quantizer import set_phase

        freeze_epoch = self._modifier.disable_quantization_observer_epoch
        set_phase(self._model, "observing" if freeze_epoch is None or epoch < freeze_epoch else "frozen")

    def _freeze_batch_norm(self, epoch: float) -> None:
        freeze_epoch = self._modifier.freeze_bn_stats_epoch
        if self._has_frozen_batch_norm or freeze_epoch is None or epoch < freeze_epoch:
            return
        from torch.nn.modules.batchnorm import _BatchNorm

        self._has_frozen_batch_norm = True
        for module in self._model.modules():
            if isinstance(module, _BatchNorm):
                # a hook, because the trainer puts the whole model back into train mode before every step
                module.register_forward_pre_hook(lambda frozen, _: frozen.eval() and None)
