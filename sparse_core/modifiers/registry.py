"""Recipe keys and their classes: the only list of modifiers."""

from __future__ import annotations

from sparse_core.modifiers.base import Modifier
from sparse_core.modifiers.distillation.modifier import DistillationModifier
from sparse_core.modifiers.epoch_range import EpochRangeModifier
from sparse_core.modifiers.learning_rate import LearningRateFunctionModifier, SetLearningRateModifier
from sparse_core.modifiers.pruning.constant import ConstantPruningModifier
from sparse_core.modifiers.pruning.magnitude import (
    GlobalMagnitudePruningModifier,
    GMPruningModifier,
    MagnitudePruningModifier,
)
from sparse_core.modifiers.quantization.modifier import QuantizationModifier
from sparse_core.modifiers.weight_decay import SetWeightDecayModifier

MODIFIERS: dict[str, type[Modifier]] = {
    cls.__name__: cls
    for cls in (
        EpochRangeModifier,
        LearningRateFunctionModifier,
        SetLearningRateModifier,
        SetWeightDecayModifier,
        ConstantPruningModifier,
        GMPruningModifier,
        MagnitudePruningModifier,
        GlobalMagnitudePruningModifier,
        DistillationModifier,
        QuantizationModifier,
    )
}
