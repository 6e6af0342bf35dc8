"""The page: its figures, its plots, and nothing that it would fetch."""

from __future__ import annotations

import re
import sys
import warnings

import pytest

from sparse_core.artifacts.report import Report
from sparse_core.benchmark import html
from sparse_core.benchmark.html import draw_plots, headline, render_html, subject_of, trained_by_recipe
from sparse_core.benchmark.plots import require_matplotlib
from sparse_core.errors import DependencyError

FETCH = re.compile(
    r"""https?://|@import|url\((?!#)|(?:src|href)\s*=\s*["'](?!#)|<script|<link|<iframe""", re.IGNORECASE
)
ODD_NAMES = ["80 % sparse, 稀疏", "qat $x$_y", "Ünï <b>int8</b>", "4", "a" * 40, "6", "7", "8"]


@pytest.fixture
def without_plots(monkeypatch):
    monkeypatch.setattr(html, "draw_plots", lambda report: {})


def renamed(values: dict, names: list[str]) -> dict:
    """The report with its three candidates repeated under these names."""
    kinds = ("dense", "sparse", "deployed")
    origin = {name: kinds[index % 3] for index, name in enumerate(names)}
    own = {"candidates": "name", "scores": "candidate", "latency": "candidate", "footprint": "candidate"}
    parts = {
        part: [{**row, key: name} for name, source in origin.items() for row in values[part] if row[key] == source]
        for part, key in own.items()
    }
    return {**values, **parts, "reference": names[0]}


@pytest.mark.parametrize("number", range(1, 9))
def test_every_section_works_for_one_to_eight_candidates_of_any_names(values, number):
    names = ODD_NAMES[:number]
    report = Report(**renamed(values, names))

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = render_html(report)

    assert page.count("<svg") == 4
    assert FETCH.search(page) is None
    assert "<b>int8</b>" not in page
    for name in names:
        assert name.replace("<", "&lt;").replace(">", "&gt;") in page
    assert headline(report)


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
        "dense (reference)",
    ):
        assert expected in page, expected


def test_each_candidate_has_one_name(values, without_plots):
    page = render_html(Report(**renamed(values, ["alpha", "beta", "gamma"])))
    text = re.sub(r"<style>.*?</style>|<pre>.*?</pre>|data-label=\"[^\"]*\"|<[^>]+>", " ", page, flags=re.DOTALL)
    assert not {"dense", "sparse", "deployed", "teacher", "final"} & set(re.findall(r"\w+", text))


def test_cells_carry_their_column_for_narrow_screens(report, without_plots):
    rows = re.findall(r"<tr>(.*?)</tr>", render_html(report).split("<h2>Models and data</h2>")[0])
    cells = [cell for row in rows for cell in re.findall(r"<td class=\"n[^>]*>", row)]
    assert cells and all("data-label=" in cell for cell in cells)


def test_a_source_of_a_deployment_is_named(values, without_plots):
    values["candidates"][2]["exported_from"] = "sparse"
    assert "deployed was exported from sparse" in render_html(Report(**values))


def test_a_task_without_labels_lists_none(values, without_plots):
    values["data"].update(task="question_answering", label_names=[])
    assert "Task question_answering; at most 128 tokens" in render_html(Report(**values))


def test_text_from_outside_is_escaped(values, without_plots):
    values["title"] = "<script>alert(1)</script>"
    assert "<script>" not in render_html(Report(**values))


def test_the_headline_is_about_the_last_deployment(values):
    assert subject_of(Report(**values)).name == "deployed"
    for candidate in values["candidates"]:
        candidate["kind"] = "model"
    assert subject_of(Report(**{**values, "reference": "deployed"})).name == "sparse"


@pytest.mark.parametrize(("dense", "text"), [(0.0, "0.0000"), (-0.6584, "-0.6584"), (None, "–")])
def test_no_fraction_is_kept_of_a_reference_score_that_is_not_positive(values, dense, text):
    values["data"]["metric"] = "pearson"
    values["scores"][0]["value"] = dense
    values["scores"][4]["value"] = -0.0105
    assert headline(Report(**values))[0] == ("-0.0105", f"pearson of deployed; dense has {text}")


def test_the_headline_of_one_candidate_compares_nothing(values):
    report = Report(**renamed(values, ["only"]))
    assert [figure for figure, _ in headline(report)] == ["0.8970", "0 %", "90.9 MB", "277 ms"]


def test_the_size_of_a_float_deployment_is_a_share_too(values):
    values["candidates"][2]["precision"] = "fp32"
    values["candidates"][2]["file"]["raw_bytes"] = 90_900_000
    assert ("100 %", "of dense's file size: 90.9 of 90.9 MB; 12.1 MB gzipped") in headline(Report(**values))


def test_plots_without_numbers_are_left_out(values):
    for candidate in values["candidates"]:
        candidate.update(log_history=[], recipe=[], sparsity_by_layer={})
    assert set(draw_plots(Report(**values))) == {"accuracy_size", "latency"}


def test_a_candidate_without_a_file_has_dashes_and_no_point(values):
    values["candidates"][1].update(file=None, precision="int8 simulated")
    values["latency"] = [row for row in values["latency"] if row["candidate"] != "sparse"]
    report = Report(**values)
    assert "sparse, 0.886" not in draw_plots(report)["accuracy_size"]
    assert "int8 simulated" in render_html(report)


def test_sections_without_a_plot_are_left_out(report, without_plots):
    assert "<h2>Training</h2>" not in render_html(report)


def test_training_loss_and_recipe_are_explained_where_they_are_drawn(values):
    texts = ("Training minimizes the training loss", "the modifiers of the recipe of sparse act")
    page = render_html(Report(**values))
    assert all(text in page for text in texts)
    for candidate in values["candidates"]:
        candidate["log_history"] = [entry for entry in candidate.get("log_history", []) if "loss" not in entry]
        candidate["recipe"] = []
    report = Report(**values)
    page = render_html(report)
    assert "<h2>Training</h2>" in page
    assert trained_by_recipe(report) is None
    assert not any(text in page for text in texts)


def test_plots_are_single_elements_with_ids_of_their_own(report):
    drawn = draw_plots(report)
    ids = {name: set(re.findall(r'clipPath id="([^"]+)"', svg)) for name, svg in drawn.items()}
    assert set(drawn) == {"accuracy_size", "latency", "sparsity", "training"}
    assert all(svg.startswith("<svg") and svg.rstrip().endswith("</svg>") for svg in drawn.values())
    assert len(set.union(*ids.values())) == sum(len(names) for names in ids.values())


def test_a_missing_matplotlib_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(DependencyError) as caught:
        require_matplotlib()
    assert caught.value.fix == "pip install 'sparse-pipelines[benchmark]'"
