"""The table that is printed at the end of a run."""

from __future__ import annotations

import pytest

from sparse_core.artifacts.report import Report
from sparse_core.benchmark.summary import (
    entity_types,
    format_summary,
    measured_metrics,
    megabytes,
    metric_names,
    score_text,
    significant,
    summary_rows,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1234, "0.123"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12346"), (0.0, "0.000")],
)
def test_three_significant_digits(value, text):
    assert significant(value) == text


def test_megabytes_are_decimal_and_unknown_is_a_dash():
    assert megabytes(90_900_000) == "90.9"
    assert megabytes(None) == "–"


@pytest.mark.parametrize(("value", "text"), [(6, "6"), (6.0, "6.0000"), (-0.65841, "-0.6584"), (None, "–")])
def test_scores_have_four_decimals_and_counts_none(value, text):
    assert score_text(value) == text


def test_rows_hold_a_cell_per_model(report):
    rows = {(row.group, row.label): row.cells for row in summary_rows(report)}

    assert rows["accuracy", "torch"] == ["0.8970", "0.8860", "0.8810"]
    assert rows["accuracy", "onnxruntime"] == ["0.8970", "–", "0.8800"]
    assert rows["f1", "onnxruntime"] == ["0.7970", "–", "0.7800"]
    assert rows["zeros", "encoder weights, %"] == ["0.0", "80.0", "80.0"]
    assert rows["ONNX file", "gzipped, MB"] == ["84.2", "56.3", "12.1"]
    assert rows["p50 / p95, ms", "onnxruntime, 1×128"] == ["17.6 / 19.4", "17.5 / 19.2", "8.82 / 9.70"]
    assert rows["rows per second", "torch, 16×128"] == ["48.5", "–", "–"]
    assert rows["speed, × dense in onnxruntime", "onnxruntime, 16×128"] == ["1.00", "1.01", "2.00"]
    assert rows["memory taken, MB", "onnxruntime"] == ["200", "200", "200"]


def test_the_metric_to_compare_by_comes_first(values):
    values["data"]["metric"] = "f1"

    assert metric_names("f1", measured_metrics(Report(**values))) == ["f1", "accuracy"]
    assert [row.group for row in summary_rows(Report(**values))][:4] == ["f1", "f1", "accuracy", "accuracy"]


@pytest.mark.parametrize("name", ["perplexity", "cross_entropy", "mse"])
def test_a_metric_of_which_less_is_better_says_so(values, name):
    for row in values["scores"]:
        row["metrics"][name] = 32.249

    groups = [row.group for row in summary_rows(Report(**values))]
    assert groups[:6] == ["accuracy", "accuracy", "f1", "f1", *2 * [f"{name}, lower is better"]]


def test_scores_of_single_types_of_entity_are_not_in_the_summary(with_entities, report):
    measured = measured_metrics(report)

    assert entity_types(measured[0]) == ["LOC", "phone_number"]
    assert metric_names("accuracy", measured) == ["accuracy", "f1"]
    assert [row.group for row in summary_rows(report)][:5] == ["accuracy", "accuracy", "f1", "f1", "weights"]


def test_latency_rows_are_those_of_the_longest_inputs(report):
    shapes = {row.label.split(", ")[1] for row in summary_rows(report) if row.group == "rows per second"}

    assert shapes == {"1×128", "16×128"}


def test_one_shape_is_shown_once(values):
    values["latency"] = values["latency"][:4]

    labels = [row.label for row in summary_rows(Report(**values)) if row.group == "rows per second"]
    assert labels == ["torch, 1×32", "onnxruntime, 1×32"]


def test_text_is_aligned_and_says_what_was_measured(report):
    lines = format_summary(report).splitlines()

    assert lines[0] == "1821 rows of the test split; 30 runs in turns after 5 to warm up, 2 threads; Example CPU"
    table = lines[2:]
    assert len({len(line) for line in table}) == 1
    assert table[0].split() == ["dense", "sparse", "deployed"]
    assert sum(line.startswith("accuracy") for line in table) == 1


def test_text_ends_with_what_was_not_measured(values):
    values["failures"] = [
        {"engine": "deepsparse", "candidate": "deployed", "precision": "int8", "opset": 14, "reason": "no licence"}
    ]

    assert format_summary(Report(**values)).endswith("not measured: deepsparse, deployed: no licence\n")
