"""Settings of an export are refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparse_core.errors import ConfigError
from sparse_core.export.settings import OPSETS, WEIGHT_TYPES, require_format, require_settings
from sparse_core.steps.export_onnx import export_onnx

DEFAULTS = {
    "opset": 14,
    "weight_type": "auto",
    "min_agreement": 0.99,
    "max_metric_loss": 0.005,
    "num_verification_rows": 1000,
}


def test_all_that_is_accepted_passes() -> None:
    for opset in OPSETS:
        for weight_type in WEIGHT_TYPES:
            require_format(opset, weight_type)
    require_settings(**DEFAULTS | {"min_agreement": 0.0, "max_metric_loss": 0.0, "num_verification_rows": 1})


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("opset", 12, "^opset: expected 13 to 17, got 12$"),
        ("opset", 18, "^opset: expected 13 to 17, got 18$"),
        ("weight_type", "int4", "^weight_type: expected auto, int8, uint8, got 'int4'; did you mean 'int8'?"),
        ("min_agreement", 1.01, "^min_agreement: expected a fraction from 0 to 1, got 1.01$"),
        ("min_agreement", float("nan"), "^min_agreement: .* got nan$"),
        ("max_metric_loss", float("nan"), "^max_metric_loss: expected 0 or more, got nan$"),
        ("num_verification_rows", 0, "^num_verification_rows: expected 1 or more, got 0$"),
    ],
)
def test_the_step_refuses_before_it_reads_anything(tmp_path: Path, setting: str, value: object, message: str) -> None:
    nothing = tmp_path / "none"
    with pytest.raises(ConfigError, match=message):
        export_onnx(nothing, nothing, tmp_path / "out", **{setting: value})
    with pytest.raises(ConfigError, match=message):
        require_settings(**DEFAULTS | {setting: value})
