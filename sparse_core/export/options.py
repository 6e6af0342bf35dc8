"""The settings of an export. Loads nothing heavy."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sparse_core.fields import Options

OLDEST_OPSET, NEWEST_OPSET = 13, 17


class ExportOptions(Options):
    """How a model is written as ONNX, and how closely ONNX Runtime must agree with torch."""

    opset: int = Field(14, ge=OLDEST_OPSET, le=NEWEST_OPSET, description="ONNX opset version.")
    weight_type: Literal["auto", "int8", "uint8"] = Field(
        "auto",
        description="How the weights of quantized Linear layers are stored; auto takes int8 where no CPU can overflow.",
    )
    min_agreement: float = Field(
        0.99, ge=0.0, le=1.0, description="Smallest share of validation rows on which both must make the same decision."
    )
    max_metric_loss: float = Field(
        0.005, ge=0.0, description="Largest drop of the task's metric from torch to ONNX Runtime."
    )
    num_verification_rows: int = Field(
        1000, ge=1, description="Validation rows to compare, spread evenly over the split."
    )
