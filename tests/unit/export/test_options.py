"""Settings of an export are refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparse_core.errors import ConfigError
from sparse_core.export.options import NEWEST_OPSET, OLDEST_OPSET, ExportOptions
from sparse_core.steps.export_onnx import export_onnx
from tests.refusals import refused


def test_all_that_is_accepted_passes() -> None:
    for opset in range(OLDEST_OPSET, NEWEST_OPSET + 1):
        for weight_type in ("auto", "int8", "uint8"):
            ExportOptions(opset=opset, weight_type=weight_type)
    ExportOptions(min_agreement=0.0, max_metric_loss=0.0, num_verification_rows=1)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("opset", 12),
        ("opset", 18),
        ("weight_type", "int4"),
        ("min_agreement", 1.01),
        ("min_agreement", float("nan")),
        ("max_metric_loss", float("nan")),
        ("num_verification_rows", 0),
    ],
)
def test_the_step_refuses_before_it_reads_anything(tmp_path: Path, setting: str, value: object) -> None:
    nothing = tmp_path / "none"
    with refused(ConfigError, setting):
        export_onnx(nothing, nothing, tmp_path / "out", **{setting: value})
