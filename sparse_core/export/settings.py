"""The settings of an export, checked before anything is loaded."""

from __future__ import annotations

from sparse_core.errors import ConfigError, did_you_mean

WEIGHT_TYPES = ("auto", "int8", "uint8")
OPSETS = range(13, 18)


def require_format(opset: int, weight_type: str) -> None:
    """Refuses an ONNX file that cannot be written; arguments as in `sparse_core.export.onnx.export_model`.

    Raises:
        ConfigError: `opset` or `weight_type` is not one of those accepted.
    """
    if opset not in OPSETS:
        raise ConfigError(f"opset: expected {OPSETS.start} to {OPSETS.stop - 1}, got {opset}")
    if weight_type not in WEIGHT_TYPES:
        near = did_you_mean(weight_type, WEIGHT_TYPES)
        raise ConfigError(f"weight_type: expected {', '.join(WEIGHT_TYPES)}, got '{weight_type}'{near}")


def require_settings(
    *, opset: int, weight_type: str, min_agreement: float, max_metric_loss: float, num_verification_rows: int
) -> None:
    """Refuses settings out of range; arguments as in `sparse_core.steps.export_onnx.export_onnx`.

    Raises:
        ConfigError: a setting is not one of those accepted.
    """
    require_format(opset, weight_type)
    if not 0.0 <= min_agreement <= 1.0:
        raise ConfigError(f"min_agreement: expected a fraction from 0 to 1, got {min_agreement}")
    if not max_metric_loss >= 0.0:
        raise ConfigError(f"max_metric_loss: expected 0 or more, got {max_metric_loss}")
    if num_verification_rows < 1:
        raise ConfigError(f"num_verification_rows: expected 1 or more, got {num_verification_rows}")
