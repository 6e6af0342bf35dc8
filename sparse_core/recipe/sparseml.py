"""What SparseML 1.8 recipes may hold that this library does not do, so that messages can say so.

A field that stands at SparseML's default means the same as the field left out; recipes that SparseML saved hold many.
"""

from __future__ import annotations

from typing import Any

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
"""SparseML's modifiers that are not supported, each with what to use in its place where there is something."""

_PRUNING_FIELDS: dict[str, Any] = {"phased": False, "score_type": "magnitude"}

UNSUPPORTED_FIELDS: dict[str, dict[str, Any]] = {
    "LearningRateFunctionModifier": {"param_groups": None, "update_frequency": -1.0},
    "SetLearningRateModifier": {"param_groups": None},
    "SetWeightDecayModifier": {"param_groups": None},
    "GMPruningModifier": _PRUNING_FIELDS,
    "MagnitudePruningModifier": _PRUNING_FIELDS,
    "GlobalMagnitudePruningModifier": _PRUNING_FIELDS,
    "DistillationModifier": {"teacher_input_keys": None},
    "QuantizationModifier": {
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
    },
}
"""SparseML's fields of supported modifiers, with SparseML's default; a class here that has the field goes first."""
