"""The tables of the page: types of entity, and the check of the exported model."""

from __future__ import annotations

from sparse_core.artifacts.report import Report
from sparse_core.benchmark.html import render_html
from sparse_core.benchmark.tables import entity_table, verification_tables


def verification_of(report):
    ((name, table),) = verification_tables(report)
    assert name == "deployed"
    return table


def test_each_type_of_entity_has_a_row(with_entities, report):
    table = entity_table(report)

    assert table.note == ("Precision / recall / F1 of dense in onnxruntime, sparse in torch, deployed in onnxruntime.")
    assert table.header == ["type", "in the data", "dense", "sparse", "deployed"]
    assert table.rows[0] == [
        "LOC",
        "6",
        "0.8970 / 0.5000 / 0.6667",
        "0.8860 / 0.5000 / 0.6667",
        "0.8800 / 0.5000 / 0.6667",
    ]
    assert [row[:2] for row in table.rows] == [["LOC", "6"], ["phone_number", "10"]]


def test_a_type_that_one_model_alone_predicts_is_absent_from_the_others(values, with_entities):
    values["scores"][4]["metrics"] |= {"ART_precision": 0.0, "ART_recall": 0.0, "ART_f1": 0.0, "ART_number": 0}

    assert entity_table(Report(**values)).rows[0] == ["ART", "0", "–", "–", "0.0000 / 0.0000 / 0.0000"]


def test_a_task_without_entities_has_no_table_of_them(report, monkeypatch):
    monkeypatch.setattr("sparse_core.benchmark.html.draw_plots", lambda report: {})

    assert entity_table(report) is None
    assert "Scores of each type of entity" not in render_html(report)


def test_the_check_of_a_quantized_model_shows_what_rounding_does(report):
    table = verification_of(report)

    assert table.header[1:] == [
        "torch",
        "torch, rounded otherwise",
        "ONNX Runtime, optimized",
        "ONNX Runtime, as written",
    ]
    assert table.rows == [
        ["decisions equal to torch's", "–", "99.54 %", "99.77 %", "100.00 %"],
        ["largest difference of an output", "–", "–", "0.508", "2.38e-07"],
        ["accuracy", "0.8911", "–", "0.8899", "0.8911"],
        ["f1", "0.7911", "–", "0.7899", "0.7911"],
    ]
    assert table.note == (
        "Measured by export_onnx on 872 rows of tokens of the validation split, with all graph optimizations and with "
        "none. The export requires 99 % equal decisions and accuracy at most 0.005 below torch's. It requires less "
        "where rounding alone changes more: torch was also compared with itself, its sums rounded in another way."
    )


def test_the_check_of_a_float_model_says_nothing_of_rounding(values):
    values["candidates"][2]["precision"] = "fp32"

    table = verification_of(Report(**values))

    assert [len(row) for row in [table.header, *table.rows]] == [4] * 5
    assert table.note.endswith("below torch's.")


def test_questions_are_checked_in_windows(values):
    values["data"]["task"] = "question_answering"
    values["candidates"][2]["verification"]["num_rows"] = 1440

    assert "on 1,440 windows of texts of the validation split" in verification_of(Report(**values)).note


def test_scores_of_types_of_entity_are_not_in_the_check(values):
    values["candidates"][2]["verification"]["torch_metrics"] |= {"LOC_precision": 0.5, "LOC_number": 6}

    names = [row[0] for row in verification_of(Report(**values)).rows]

    assert names[2:] == ["accuracy", "f1"]


def test_numbers_that_were_not_finite_are_dashes(values):
    values["candidates"][2]["verification"]["sessions"]["optimized"] |= {"max_abs_difference": None, "agreement": None}

    assert [row[3] for row in verification_of(Report(**values)).rows[:2]] == ["–", "–"]


def test_an_export_without_a_record_has_no_table(values, monkeypatch):
    monkeypatch.setattr("sparse_core.benchmark.html.draw_plots", lambda report: {})
    values["candidates"][2]["verification"] = None

    assert verification_tables(Report(**values)) == []
    assert "Export check" not in render_html(Report(**values))
