"""The report: what its numbers say, and that it survives the disk."""

from __future__ import annotations

import json
import math

import pytest

from sparse_core.artifacts.report import Report
from sparse_core.errors import ArtifactError

MEASURED = {"engine": "onnxruntime", "precision": "fp32", "opset": 14}


def candidate(name: str) -> dict:
    return {
        "name": name, "kind": "model", "directory": name, "made_by": "prune", "precision": "fp32", "num_parameters": 4,
        "encoder_sparsity": 0.5, "model_sparsity": 0.25, "sparsity_by_kind": {}, "sparsity_by_layer": {},
        "file": {"opset": 14, "weight_dtype": "float32", "raw_bytes": 400, "gzip_bytes": 300},
    }  # fmt: skip


def score(name: str, engine: str, value: float) -> dict:
    return {"candidate": name, "engine": engine, "measured_on": name, "value": value, "metrics": {"f1": value}}


@pytest.fixture
def values() -> dict:
    """A report of two candidates."""
    return {
        "title": "bert", "created_unix": 1, "command": "sparse-core benchmark", "reference": "base one",
        "reference_engine": "onnxruntime",
        "settings": {"max_seq_length": 8, "batch_sizes": [1], "sequence_lengths": [8], "num_threads": 1, "num_runs": 2,
                     "num_warmup_runs": 1, "engines": ["onnxruntime"]},
        "hardware": {"cpu_model": "", "architecture": "", "num_cores": 1, "num_usable_cores": 1, "flags": {},
                     "expectation": ""},
        "versions": {},
        "data": {"task": "text_classification", "metric": "f1", "split": "test", "num_rows": 3,
                 "num_rows_by_split": {"test": 3}, "label_names": []},
        "candidates": [candidate("base one"), candidate("öther")],
        "scores": [score("base one", "torch", 0.8), score("base one", "onnxruntime", 0.7),
                   score("öther", "torch", 0.5), score("öther", "onnxruntime", 0.4)],
        "latency": [{**MEASURED, "candidate": "öther", "batch_size": 1, "sequence_length": 8, "num_threads": 1,
                     "num_warmup_runs": 1, "num_runs": 2, "p50_ms": 2.0, "p95_ms": 3.0, "p99_ms": 4.0, "mean_ms": 2.5,
                     "rows_per_second": 400.0, "speed_ratio": 1.5}],
        "footprint": [{**MEASURED, "candidate": "öther", "load_ms": 5.0, "baseline_bytes": None, "peak_bytes": None,
                       "increment_bytes": None}],
    }  # fmt: skip


def test_kept_divides_the_onnx_score_by_the_references_torch_score(values):
    report = Report(**values)
    assert report.kept("öther") == pytest.approx(0.4 / 0.8)
    values["scores"] = [row for row in values["scores"] if row["engine"] == "onnxruntime"]
    assert Report(**values).kept("öther") == pytest.approx(0.4 / 0.7)
    values["scores"][1]["engine"] = "torch"
    assert Report(**values).compared_score("öther").engine == "torch"


@pytest.mark.parametrize(("base", "own"), [(0.0, 0.4), (-0.6, 0.4), (math.nan, 0.4), (0.8, math.inf)])
def test_nothing_is_kept_of_a_score_that_is_not_above_0_or_not_finite(values, base, own):
    values["scores"][0]["value"], values["scores"][3]["value"] = base, own
    assert Report(**values).kept("öther") is None
    assert "öther_f1_kept" not in Report(**values).summary()


def test_the_summary_names_every_headline_number_after_its_candidate(values):
    summary = Report(**values).summary()
    assert summary["base one_f1_torch"] == 0.8
    assert summary["öther_f1_kept"] == 0.5
    assert summary["öther_encoder_sparsity"] == 0.5
    assert summary["base one_gzip_bytes"] == 300.0
    assert summary["öther_speed_ratio_onnxruntime_batch1_seq8"] == 1.5
    assert summary["öther_load_ms_onnxruntime"] == 5.0
    assert not {"base one_f1_kept", "öther_peak_bytes_onnxruntime"} & set(summary)
    assert all(type(value) is float for value in summary.values())


def test_numbers_that_are_not_finite_become_null_and_leave_the_summary(values, tmp_path):
    values["scores"][2]["metrics"] = {"f1": math.nan, "precision": math.inf, "support": 3}
    values["candidates"][0]["log_history"] = [{"epoch": 1.0, "loss": math.nan, "grad_norm": [math.inf]}]
    summary = Report(**values).write(tmp_path, "<html>")
    written = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert written["scores"][2]["metrics"] == {"f1": None, "precision": None, "support": 3}
    assert written["candidates"][0]["log_history"] == [{"epoch": 1.0, "loss": None, "grad_norm": [None]}]
    assert "öther_f1_torch" not in summary and summary["öther_support_torch"] == 3.0


def test_a_report_is_read_as_it_was_written(values, tmp_path):
    report = Report(**values)
    summary = report.write(tmp_path, "<html>")
    assert Report.read(tmp_path) == report
    assert json.loads((tmp_path / "report.json").read_text())["format_version"] == Report.newest_format
    assert json.loads((tmp_path / "summary.json").read_text()) == summary
    assert (tmp_path / "report.html").read_text() == "<html>"


@pytest.mark.parametrize(
    "text",
    [None, "{", "[]", "{}", '{"format_version": 1}', '{"format_version": 3}', '{"format_version": 2, "title": 5}'],
)
def test_a_report_that_is_missing_damaged_or_of_another_version_is_refused(text, tmp_path):
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(ArtifactError) as caught:
        Report.read(tmp_path)
    assert caught.value.setting == "report"


def test_a_reference_that_is_no_candidate_is_refused(values, tmp_path):
    (tmp_path / "report.json").write_text(
        json.dumps({**Report(**values).model_dump(mode="json"), "reference": "nobody"})
    )
    with pytest.raises(ArtifactError):
        Report.read(tmp_path)
