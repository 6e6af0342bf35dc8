"""The report's files: finite numbers, the figures of the page, and nothing that it would fetch."""

from __future__ import annotations

import json
import math
import re
import sys

import pytest

from sparse_core.benchmark import html
from sparse_core.benchmark.html import draw_plots, headline, render_html
from sparse_core.benchmark.plots import require_matplotlib
from sparse_core.benchmark.report import finite, flat_metrics, write_report
from sparse_core.benchmark.summary import metric_kept
from sparse_core.errors import DependencyError

FETCH = re.compile(
    r"""https?://|@import|url\((?!#)|(?:src|href)\s*=\s*["'](?!#)|<script|<link|<iframe""", re.IGNORECASE
)


def test_numbers_that_are_not_finite_become_null():
    assert finite({"a": [1.0, math.nan, (math.inf, 2)], "b": "text"}) == {"a": [1.0, None, [None, 2]], "b": "text"}


def test_written_files_agree_and_are_finite(report, tmp_path, without_plots):
    report["training"][0]["log_history"][0]["loss"] = math.nan
    report["accuracy"][1]["metrics"]["accuracy"] = math.nan
    report["verification"]["sessions"]["optimized"]["max_abs_difference"] = math.inf

    metrics = write_report(report, tmp_path)

    assert json.loads((tmp_path / "summary.json").read_text()) == metrics
    written = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    assert written["verification"]["sessions"]["optimized"]["max_abs_difference"] is None
    assert written["models"][2]["raw_bytes"] == 23_000_000
    assert "accuracy_sparse_torch" not in metrics
    assert all(type(value) is float and math.isfinite(value) for value in metrics.values())
    assert (tmp_path / "report.html").stat().st_size > 5_000


def test_flat_metrics_name_every_headline_number(report):
    metrics = flat_metrics(report)

    assert metrics["accuracy_deployed_onnxruntime"] == 0.88
    assert metrics["f1_deployed_onnxruntime"] == pytest.approx(0.78)
    assert metrics["accuracy_kept"] == pytest.approx(0.88 / 0.897)
    assert metrics["encoder_sparsity_sparse"] == 0.8
    assert metrics["gzip_bytes_deployed"] == 12_100_000.0
    assert metrics["p50_ms_deployed_onnxruntime_batch16_seq128"] == pytest.approx(2.52 * 55)
    assert metrics["speed_ratio_deployed_onnxruntime_batch1_seq128"] == 2.0
    assert metrics["increment_bytes_dense_torch"] == 200_000_000.0


@pytest.mark.parametrize(("dense", "text"), [(0.0, "0.0000"), (-0.6584, "-0.6584"), (None, "–")])
def test_no_fraction_is_kept_of_a_dense_score_that_is_not_positive(report, dense, text):
    report["data"]["metric"] = "pearson"
    report["accuracy"][0]["value"] = dense
    report["accuracy"][4]["value"] = -0.0105

    assert metric_kept(report) is None
    assert "pearson_kept" not in flat_metrics(report)
    assert headline(report)[0] == ("-0.0105", f"pearson; the dense model's is {text}")


@pytest.fixture
def without_plots(monkeypatch):
    monkeypatch.setattr(html, "draw_plots", lambda report: {})


def test_the_page_fetches_nothing(report):
    page = render_html(report)

    assert page.count("<svg") == 4
    assert FETCH.search(page) is None


@pytest.mark.parametrize("text", ['<img src="x.png">', "<a href='http://x'>", "@import 'x'", "background: url(x)"])
def test_the_fetch_pattern_finds_fetches(text):
    assert FETCH.search(text)


def test_the_page_holds_the_numbers(report, without_plots):
    page = render_html(report)

    for expected in (
        "98.1 %",  # 0.880 of 0.897
        "0.8800",
        "80.0",
        "23.0",
        "12.1",
        "8.82 / 9.70",
        "2.00×",
        "22,713,986",
        "Example CPU",
        "expect int8 to run faster",
        "onnxruntime 1.31.1",
        "99.77 %",
        "validation</td>",
        "test (the scores were measured on this)",
        "sparse-core benchmark",
        "67,349",
        "0.7800",  # f1
        "labels negative, positive; at most",
    ):
        assert expected in page, expected


def test_a_task_without_labels_lists_none(report, without_plots):
    report["data"].update(task="question_answering", label_names=[])

    assert "Task question_answering; at most 128 tokens" in render_html(report)


def test_text_from_outside_is_escaped(report, without_plots):
    report["title"] = "<script>alert(1)</script>"

    assert "<script>" not in render_html(report)


def test_headline_of_a_float_deployment_says_nothing_of_int8(report):
    report["models"][2].update(label="deployed fp32", precision="fp32", raw_bytes=90_900_000)

    assert "int8" not in json.dumps(headline(report))
    assert ("100 %", "of the dense file's size: 90.9 of 90.9 MB; 12.1 MB gzipped") in headline(report)


def test_plots_without_numbers_are_left_out(report):
    report.update(training=[], timeline=[])
    report["models"][2]["sparsity_by_layer"] = {}

    assert set(draw_plots(report)) == {"accuracy_size", "latency"}


def test_sections_without_a_plot_are_left_out(report, without_plots):
    assert "<h2>Training</h2>" not in render_html(report)


def test_training_loss_and_recipe_are_explained_where_they_are_drawn(report):
    texts = ("Training loss is what training minimizes", "The recipe's modifiers are drawn")
    page = render_html(report)
    assert all(text in page for text in texts)
    for run in report["training"]:
        run["log_history"] = [entry for entry in run["log_history"] if "loss" not in entry]
    report["timeline"] = []

    page = render_html(report)

    assert "<h2>Training</h2>" in page
    assert not any(text in page for text in texts)


def test_plots_are_single_elements_with_ids_of_their_own(report):
    drawn = draw_plots(report)
    ids = {name: set(re.findall(r'clipPath id="([^"]+)"', svg)) for name, svg in drawn.items()}

    assert set(drawn) == {"accuracy_size", "latency", "sparsity", "training"}
    assert all(svg.startswith("<svg") and svg.rstrip().endswith("</svg>") for svg in drawn.values())
    assert len(set.union(*ids.values())) == sum(len(names) for names in ids.values())


def test_failures_are_told_on_the_page(report, without_plots):
    report["failures"] = [{"engine": "deepsparse", "model": "sparse int8", "reason": "Assertion gather.cpp"}]

    assert "Not measured: deepsparse, sparse int8: Assertion gather.cpp" in render_html(report)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    with pytest.raises(DependencyError, match=r"need matplotlib.*pip install 'sparse-pipelines\[benchmark\]'"):
        require_matplotlib()
