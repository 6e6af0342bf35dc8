"""SparseML 1.8's modifiers that this library does not have, so that messages can say what to use instead."""

from __future__ import annotations

UNSUPPORTED_MODIFIERS: dict[str, str] = {
    "PerLayerDistillationModifier": "DistillationModifier matches the teacher's logits",
    "LayerThinningModifier": "",
    "ASRegModifier": "",
    "PowerpropagationModifier": "",
    "ACDCPruningModifier": "GMPruningModifier prunes gradually",
    "LayerPruningModifier": "",
    "MFACPruningModifier": "GMPruningModifier prunes by magnitude",
    "MovementPruningModifier": "GMPruningModifier prunes by magnitude",
    "OBSPruningModifier": "GMPruningModifier prunes by magnitude",
    "RigLPruningModifier": "GMPruningModifier prunes gradually",
    "StructuredPruningModifier": "",
    "TopKASTPruningModifier": "GMPruningModifier prunes gradually",
    "LegacyGMPruningModifier": "GMPruningModifier has the same fields",
    "SparsificationLoggingModifier": "the training log always has sparsity; remove the item",
    "LearningRateModifier": "LearningRateFunctionModifier has linear, cosine and cyclic_linear curves",
    "GradualParamModifier": "",
    "SetParamModifier": "",
    "TrainableParamsModifier": "",
}
"""Name -> what to use instead; empty where there is nothing. A name that the registry has means that modifier."""
