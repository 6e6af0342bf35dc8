"""The numbers that the plots draw."""

from __future__ import annotations

from sparse_core.benchmark.plot_data import (
    latency_panels,
    size_points,
    sparsity_bars,
    training_curves,
    weight_kind,
)


def test_every_value_stands_where_it_was_logged():
    log = [
        {"epoch": 0.735, "loss": 4.0, "step": 100},
        {"epoch": 1.0, "eval_loss": 2.5, "eval_accuracy": 0.6},
        {"epoch": 1.103, "loss": 1.0, "step": 150},  # two thirds of these steps are of the first epoch
        {"epoch": 2.0, "eval_loss": 1.5, "eval_accuracy": 0.7},
        {"epoch": 2.0, "train_runtime": 9.0, "train_loss": 2.0},
    ]

    curves = training_curves("teacher", log, "accuracy")

    assert curves.train_loss == [(0.735, 4.0), (1.103, 1.0)]
    assert curves.eval_loss == [(1.0, 2.5), (2.0, 1.5)]
    assert curves.eval_metric == [(1.0, 0.6), (2.0, 0.7)]


def test_a_training_that_ends_before_its_loss_is_logged_has_no_training_loss():
    log = [{"epoch": 1.0, "eval_loss": 2.5}, {"epoch": 1.0, "train_runtime": 9.0, "train_loss": 2.0}]

    assert training_curves("teacher", log, "accuracy").train_loss == []


def test_losses_that_are_not_finite_are_left_out():
    log = [{"epoch": 1.0, "loss": float("nan")}, {"epoch": 1.0, "loss": None}, {"epoch": 2.0, "loss": 1.0}]

    assert training_curves("teacher", log, "accuracy").train_loss == [(2.0, 1.0)]


def test_weights_are_grouped_by_layer_number_in_numeric_order():
    bars = sparsity_bars(
        {
            "bert.encoder.layer.10.output.dense.weight": 0.9,
            "bert.encoder.layer.2.attention.self.query.weight": 0.5,
            "bert.encoder.layer.2.output.dense.weight": 0.8,
            "classifier.weight": 0.0,
        }
    )

    assert bars.groups == ["2", "10", "other"]
    assert bars.kinds == ["attention query", "output", "classifier"]
    assert bars.values == {
        ("10", "output"): 0.9,
        ("2", "attention query"): 0.5,
        ("2", "output"): 0.8,
        ("other", "classifier"): 0.0,
    }


def test_a_weight_with_no_telling_name_keeps_its_name():
    assert weight_kind(["dense", "weight"]) == "dense weight"


def test_latency_bars_are_grouped_by_shape(report):
    panels = latency_panels(report.latency)

    assert list(panels) == [(1, 32), (1, 128), (16, 32), (16, 128)]
    bar = panels[1, 128][3]
    assert (bar.label, bar.candidate, bar.p50_ms) == ("onnxruntime · deployed", "deployed", 2.52 * 3.5)


def test_size_points_prefer_the_accuracy_in_onnxruntime(report):
    points = {point.candidate: point for point in size_points(report)}

    assert (points["deployed"].accuracy, points["deployed"].raw_mb, points["deployed"].gzip_mb) == (0.88, 23.0, 12.1)
    assert points["sparse"].accuracy == 0.886  # measured in torch only
