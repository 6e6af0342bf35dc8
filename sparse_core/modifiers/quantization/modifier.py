"""The recipe's face of quantization-aware training."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from sparse_core.errors import RecipeError
from sparse_core.modifiers.base import UNSET_EPOCH, ActiveModifier, Modifier, TrainingContext
from sparse_core.modifiers.quantization.settings import QuantizationSettings

if TYPE_CHECKING:
    from torch import nn


class QuantizationModifier(Modifier):
    """Simulates int8 in the forward pass from start_epoch on, and freezes the ranges at a later epoch.

    Source: Jacob et al. 2018, section 3.
    """

    description: ClassVar[str] = "quantization-aware training"
    ineffective_fields: ClassVar[dict[str, str]] = {}

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
            raise ValueError(
                f"disable_quantization_observer_epoch: expected an epoch after start_epoch ({self.begins_at:g}), so "
                f"that the ranges see data first, got {freeze_epoch:g}"
            )
        return self

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

    def activate(self, training: TrainingContext) -> ActiveQuantization:
        """Run state for one training; settings that do not fit the model are refused now, not at start_epoch."""
        return ActiveQuantization(self, training)


class ActiveQuantization(ActiveModifier):
    """Gives the model its quantized structure at start_epoch and its phase at every step."""

    def __init__(self, modifier: QuantizationModifier, training: TrainingContext) -> None:
        """Checks the settings against the model.

        Raises:
            RecipeError: the settings do not fit the model, or it is quantized in another way already.
        """
        from sparse_core.modifiers.quantization.hf_quantizer import quantization_of
        from sparse_core.modifiers.quantization.targets import quantization_targets, settings_for

        self._modifier = modifier
        self._model = training.model
        self._steps_per_epoch = training.steps_per_epoch
        self._has_frozen_batch_norm = False
        quantization_targets(training.model, modifier.settings)
        present = quantization_of(training.model)
        wanted = settings_for(training.model, modifier.settings)
        if present is not None and present.settings != wanted:
            raise RecipeError(
                f"QuantizationModifier: the model was quantized with {present.settings.to_dict()} and the recipe asks "
                f"for {wanted.to_dict()}; use the same settings, or start from a model without quantization"
            )

    def before_step(self, epoch: float) -> None:
        """Quantizes the model at the first step from start_epoch on, and freezes ranges when their epoch has come."""
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
