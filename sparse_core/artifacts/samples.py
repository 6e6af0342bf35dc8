"""Samples: rows and the model's outputs for them, for those who port a model to another runtime."""

from __future__ import annotations

INPUTS_FOLDER = "sample-inputs"
OUTPUTS_FOLDER = "sample-outputs"
