from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from sparse_core.errors import DataError, DependencyError, ExportError
from sparse_core.export.onnx import export_model
from sparse_core.export.verify import SessionResult, Tolerance, Verification, _require_within_tolerance, verify

MakeModel = Callable[..., PreTrainedModel]
VOCAB_SIZE = 60


def accuracy(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    return {"accuracy": float((logits.argmax(-1) == labels).mean())}


def batches() -> list[dict[str, torch.Tensor]]:
    """Three batches, each padded to a longest row of its own."""
    made = []
    for length in (5, 12, 30):
        input_ids = torch.randint(3, VOCAB_SIZE, (4, length))
        attention_mask = torch.ones_like(input_ids)
        attention_mask[1, length // 2 :] = 0
        made.append(
            {
                "input_ids": input_ids,
                "token_type_ids": torch.zeros_like(input_ids),
                "attention_mask": attention_mask,
                "labels": torch.randint(0, 2, (4,)),
            }
        )
    return made


@pytest.fixture
def exported(make_quantized: MakeModel, tmp_path: Path) -> tuple[PreTrainedModel, Path]:
    model = make_quantized()
    export_model(model, tmp_path / "model.onnx")
    return model, tmp_path / "model.onnx"


def verification(**sessions: SessionResult) -> Verification:
    return Verification(200, "accuracy", Tolerance(0.99, 0.005), {"accuracy": 0.9}, sessions)


def test_a_faithful_export_agrees_in_both_sessions(exported: tuple[PreTrainedModel, Path]) -> None:
    model, path = exported
    result = verify(model.train(), path, batches(), accuracy, metric="accuracy", tolerance=Tolerance(1.0, 0.0))
    assert result.num_rows == 12
    assert set(result.sessions) == {"optimized", "unoptimized"}
    for session in result.sessions.values():
        assert session.agreement == 1.0
        assert session.metrics == result.torch_metrics
        assert session.max_abs_difference < 0.1
    stored = json.loads(json.dumps(result.to_dict()))
    assert stored["tolerance"] == {"min_agreement": 1.0, "max_metric_loss": 0.0}
    assert stored["sessions"]["optimized"]["agreement"] == 1.0


def test_another_model_than_the_exported_one_is_refused(exported: tuple[PreTrainedModel, Path]) -> None:
    model, path = exported
    with torch.no_grad():
        model.classifier.weight.neg_()
        model.classifier.bias.neg_()
    with pytest.raises(ExportError, match="min_agreement: expected at least 99.00% .* over 12 validation rows"):
        verify(model, path, batches(), accuracy, metric="accuracy", tolerance=Tolerance(0.99, 1.0))


def test_no_rows_is_an_error(exported: tuple[PreTrainedModel, Path]) -> None:
    with pytest.raises(DataError, match="num_verification_rows: the validation split has no rows"):
        verify(*exported, [], accuracy, metric="accuracy", tolerance=Tolerance())


def test_agreement_below_the_tolerance_of_the_optimized_session_hints_at_overflow() -> None:
    off = SessionResult(0.93, {"accuracy": 0.9}, 1.25)
    with pytest.raises(
        ExportError,
        match=r"min_agreement: expected at least 99.00% of predictions of the optimized ONNX Runtime session over 200 "
        r"validation rows to equal torch's, got 93.00% \(largest logit difference 1.25\); "
        "if this CPU lacks VNNI, .* weight_type uint8",
    ):
        _require_within_tolerance(verification(optimized=off))


def test_metric_loss_beyond_the_tolerance_is_refused() -> None:
    off = SessionResult(1.0, {"accuracy": 0.8949}, 0.0)
    with pytest.raises(
        ExportError,
        match="max_metric_loss: expected accuracy of the unoptimized ONNX Runtime session over 200 validation rows to "
        "be at most 0.005 below torch's 0.9000, got 0.8949; the exported graph differs from the model",
    ):
        _require_within_tolerance(verification(unoptimized=off))


def test_a_better_metric_is_accepted() -> None:
    _require_within_tolerance(verification(optimized=SessionResult(0.995, {"accuracy": 0.95}, 0.1)))


@pytest.mark.parametrize(
    "result", [SessionResult(float("nan"), {"accuracy": 0.9}, 0.0), SessionResult(1.0, {"accuracy": float("nan")}, 0.0)]
)
def test_nan_is_no_agreement(result: SessionResult) -> None:
    with pytest.raises(ExportError):
        _require_within_tolerance(verification(optimized=result))


def test_missing_onnxruntime_names_the_extra(
    exported: tuple[PreTrainedModel, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(
        DependencyError, match=r"onnxruntime is not installed; pip install 'sparse-pipelines\[export\]'"
    ):
        verify(*exported, batches(), accuracy, metric="accuracy", tolerance=Tolerance())


def test_missing_onnx_names_the_extra(make_quantized: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sparse_core.export.onnx import _require_opset

    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DependencyError, match=r"onnx is not installed; pip install 'sparse-pipelines\[export\]'"):
        _require_opset(tmp_path / "model.onnx", 14)
