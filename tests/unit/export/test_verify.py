from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest
import torch
from transformers import BertForQuestionAnswering, PreTrainedModel

from sparse_core.errors import DataError, DependencyError, ExportError
from sparse_core.export.onnx import export_model
from sparse_core.export.sessions import open_session, rounded_forward, session_forward
from sparse_core.export.verify import (
    SessionResult,
    Tolerance,
    Verification,
    _max_abs_difference,
    _require_within_tolerance,
    verify,
)
from sparse_core.tasks import get_task
from sparse_core.tasks.inference import torch_forward
from tests.unit.export.conftest import VOCAB_SIZE, make_tokenizer

MakeModel = Callable[..., PreTrainedModel]
TASK = get_task("text_classification", {"num_labels": 2})


def make_rows(num_rows: int = 12) -> datasets.Dataset:
    """Tokenized rows of 2 to 30 tokens."""
    generator = np.random.default_rng(0)
    lengths = generator.integers(2, 31, num_rows)
    ids = [generator.integers(3, VOCAB_SIZE, length).tolist() for length in lengths]
    columns = {"input_ids": ids, "attention_mask": [[1] * length for length in lengths]}
    types = {"token_type_ids": [[0] * length for length in lengths], "labels": generator.integers(0, 2, num_rows)}
    return datasets.Dataset.from_dict({**columns, **types})


def run(
    exported: tuple[PreTrainedModel, Path], tolerance: Tolerance, rows: datasets.Dataset | None = None
) -> Verification:
    rows = make_rows() if rows is None else rows
    tokenizer = make_tokenizer(("input_ids", "attention_mask", "token_type_ids"))
    return verify(*exported, TASK, rows, rows, TASK.collator(tokenizer), tolerance=tolerance)


@pytest.fixture
def exported(make_quantized: MakeModel, tmp_path: Path) -> tuple[PreTrainedModel, Path]:
    model = make_quantized()
    export_model(model, tmp_path / "model.onnx")
    return model, tmp_path / "model.onnx"


def verification(**sessions: SessionResult) -> Verification:
    return Verification(200, "accuracy", Tolerance(0.99, 0.005), {"accuracy": 0.9}, 1.0, sessions)


def test_a_faithful_export_agrees_in_both_sessions(exported: tuple[PreTrainedModel, Path]) -> None:
    model, path = exported
    result = run((model.train(), path), Tolerance(1.0, 0.0))
    assert result.num_rows == 12 and result.metric == "accuracy"
    assert set(result.sessions) == {"optimized", "unoptimized"}
    for session in result.sessions.values():
        assert session.agreement == 1.0
        assert session.metrics == result.torch_metrics
        assert session.max_abs_difference < 0.1
    stored = json.loads(json.dumps(result.to_dict()))
    assert stored["tolerance"] == {"min_agreement": 1.0, "max_metric_loss": 0.0}
    assert stored["sessions"]["optimized"]["agreement"] == 1.0


def test_rounding_alone_is_measured_on_quantized_models_and_changes_no_weight(
    exported: tuple[PreTrainedModel, Path], make_bert: MakeModel, tmp_path: Path
) -> None:
    model, path = exported
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    result = run((model, path), Tolerance())
    assert 0.5 < result.rounding_agreement <= 1.0
    assert result.to_dict()["rounding_agreement"] == result.rounding_agreement
    after = model.state_dict()
    assert [name for name, tensor in before.items() if not tensor.equal(after[name])] == []
    float_model = make_bert()
    export_model(float_model, tmp_path / "float.onnx")
    assert run((float_model, tmp_path / "float.onnx"), Tolerance()).rounding_agreement == 1.0


def test_other_rounding_is_a_change_of_the_weights_for_one_batch(
    make_quantized: MakeModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sparse_core.export.sessions._ROUNDING", 0.05)
    model = make_quantized().eval()
    inputs = {name: np.array(values) for name, values in make_rows(1).remove_columns("labels")[:].items()}
    difference = np.abs(rounded_forward(model, TASK)(inputs)["logits"] - torch_forward(model, TASK)(inputs)["logits"])
    assert 0.0 < difference.max() < 1.0


@pytest.mark.parametrize(
    ("rounding_agreement", "min_agreement", "max_metric_loss"),
    [
        (1.0, 0.99, 0.005),
        (0.999, 0.99, 0.005),  # 1.5 times 0.1% is less than 1%; 2 sqrt(0.001 / 200) is 0.0045
        (0.9, 0.85, 2 * (0.1 / 200) ** 0.5),
        (0.3, 0.99, 2 * (0.7 / 200) ** 0.5),  # a third of the decisions kept would allow an agreement of 0
    ],
)
def test_what_rounding_does_is_allowed(rounding_agreement: float, min_agreement: float, max_metric_loss: float) -> None:
    result = Verification(200, "accuracy", Tolerance(0.99, 0.005), {"accuracy": 0.9}, rounding_agreement, {})
    assert result.min_agreement == pytest.approx(min_agreement)
    assert result.max_metric_loss == pytest.approx(max_metric_loss)


def chance(agreement: float, min_agreement: float, rounding_agreement: float) -> Verification:
    session = SessionResult(agreement, {"accuracy": 0.9}, 1.0)
    tolerance = Tolerance(min_agreement, 0.005)
    return Verification(200, "accuracy", tolerance, {"accuracy": 0.9}, rounding_agreement, {"optimized": session})


@pytest.mark.parametrize("rounding_agreement", [0.3, 0.49])
def test_a_model_that_keeps_few_of_its_own_decisions_is_not_verified_by_them(rounding_agreement: float) -> None:
    with pytest.raises(ExportError) as caught:
        _require_within_tolerance(chance(0.35, 0.99, rounding_agreement))
    assert caught.value.setting == "min_agreement" and f"{rounding_agreement:.2%}" in str(caught.value)


@pytest.mark.parametrize(
    ("agreement", "min_agreement", "rounding_agreement"),
    [
        (0.35, 0.3, 0.3),  # the user asks for no more
        (0.995, 0.99, 0.3),  # agrees all the same
        (0.26, 0.99, 0.5),  # 1 - 1.5 * 0.5 is 0.25
    ],
)
def test_what_is_accepted_of_a_model_that_decides_by_chance(
    agreement: float, min_agreement: float, rounding_agreement: float
) -> None:
    _require_within_tolerance(chance(agreement, min_agreement, rounding_agreement))


def test_another_model_than_the_exported_one_is_refused(exported: tuple[PreTrainedModel, Path]) -> None:
    model, path = exported
    with torch.no_grad():
        model.classifier.weight.neg_()
        model.classifier.bias.neg_()
    with pytest.raises(ExportError) as caught:
        run((model, path), Tolerance(0.99, 1.0))
    assert caught.value.setting == "min_agreement"


def test_no_rows_is_an_error(exported: tuple[PreTrainedModel, Path]) -> None:
    with pytest.raises(DataError) as caught:
        run(exported, Tolerance(), make_rows().select([]))
    assert caught.value.setting == "dataset"


def test_a_session_gives_all_outputs_by_name_and_ignores_other_inputs(make_bert: MakeModel, tmp_path: Path) -> None:
    model = make_bert(BertForQuestionAnswering).eval()
    export_model(model, tmp_path / "model.onnx")
    inputs = {
        name: np.ones((2, 5), dtype=np.int64) for name in ("input_ids", "attention_mask", "token_type_ids", "langs")
    }
    outputs = session_forward(open_session(tmp_path / "model.onnx", optimized=True))(inputs)
    assert list(outputs) == ["start_logits", "end_logits"]
    with torch.no_grad():
        expected = model(**{name: torch.from_numpy(x) for name, x in inputs.items() if name != "langs"})
    for name, found in outputs.items():
        np.testing.assert_allclose(found, expected[name].numpy(), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("start_logits", (2, 3), 0.5),  # of tokens: the difference in the padding does not count
        ("logits", (2, 3, 4), 0.5),
        ("logits", (2, 3), 9.0),  # of rows: three classes, as many as there are tokens
    ],
)
def test_differences_in_the_padding_do_not_count(name: str, shape: tuple[int, ...], expected: float) -> None:
    mask = np.array([[True, True, True], [True, True, False]])
    values = np.zeros(shape, dtype=np.float32)
    found = values.copy()
    found[0, 1], found[1, 2] = -0.5, 9.0
    assert _max_abs_difference({name: values}, {name: found}, mask) == expected


def test_a_difference_that_is_no_number_is_seen() -> None:
    values = np.array([[0.0, 1.0]], dtype=np.float32)
    assert np.isnan(_max_abs_difference({"logits": values}, {"logits": values * np.nan}, np.ones((1, 5), dtype=bool)))


def test_agreement_below_the_tolerance_of_the_optimized_session_hints_at_overflow() -> None:
    off = SessionResult(0.93, {"accuracy": 0.9}, 1.25)
    with pytest.raises(ExportError) as caught:
        _require_within_tolerance(verification(optimized=off))
    assert caught.value.setting == "min_agreement"


def test_metric_loss_beyond_the_tolerance_is_refused() -> None:
    off = SessionResult(1.0, {"accuracy": 0.8949}, 0.0)
    with pytest.raises(ExportError) as caught:
        _require_within_tolerance(verification(unoptimized=off))
    assert caught.value.setting == "max_metric_loss"


def test_a_better_metric_is_accepted() -> None:
    _require_within_tolerance(verification(optimized=SessionResult(0.995, {"accuracy": 0.95}, 0.1)))


def test_outputs_that_are_no_numbers_are_refused() -> None:
    off = SessionResult(1.0, {"accuracy": 0.9}, float("nan"))
    with pytest.raises(ExportError) as caught:
        _require_within_tolerance(verification(optimized=off))
    assert caught.value.setting == "model"


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
    with pytest.raises(DependencyError) as caught:
        run(exported, Tolerance())
    assert caught.value.setting == ""


def test_missing_onnx_names_the_extra(make_quantized: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sparse_core.export.onnx import _require_opset

    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DependencyError) as caught:
        _require_opset(tmp_path / "model.onnx", 14)
    assert caught.value.setting == ""
