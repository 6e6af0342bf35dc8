"""Percentiles, ratios and the order of calls, on hand-made times."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from sparse_core.benchmark.timing import Subject, interleave, measure, speed_ratio, summarize


def test_percentiles_are_interpolated_and_in_milliseconds():
    summary = summarize([0.001 * value for value in range(1, 102)], batch_size=1)

    assert summary["p50_ms"] == pytest.approx(51.0)
    assert summary["p95_ms"] == pytest.approx(96.0)
    assert summary["p99_ms"] == pytest.approx(100.0)
    assert summary["mean_ms"] == pytest.approx(51.0)


def test_throughput_counts_rows_over_all_runs():
    assert summarize([0.5, 1.0, 0.5], batch_size=16)["rows_per_second"] == pytest.approx(24.0)


def test_one_run_is_every_percentile():
    summary = summarize([0.25], batch_size=1)

    assert [summary[f"p{rank}_ms"] for rank in (50, 95, 99)] == [250.0, 250.0, 250.0]


def test_speed_ratio_is_the_median_of_the_rounds_ratios():
    # Ratios 2, 4, 1: their median is 2, though the ratio of the medians would be 1.
    assert speed_ratio([2.0, 4.0, 8.0], [1.0, 1.0, 8.0]) == pytest.approx(2.0)
    assert speed_ratio([2.0, 4.0, 2.0], [2.0, 1.0, 2.0]) == pytest.approx(1.0)


def test_machine_slowdown_leaves_the_ratio_alone():
    reference, own = np.array([1.0, 1.0, 10.0, 10.0]), np.array([0.5, 0.5, 5.0, 5.0])

    assert speed_ratio(reference, own) == pytest.approx(2.0)


def order_of_calls(num_runs: int, num_warmup_runs: int) -> list[str]:
    """The rounds of three calls, each as the text of its calls' names."""
    order: list[str] = []
    interleave([lambda name=name: order.append(name) for name in "abc"], num_runs, num_warmup_runs)
    return ["".join(order[start : start + 3]) for start in range(0, len(order), 3)]


def test_every_round_makes_every_call_once():
    rounds = order_of_calls(num_runs=4, num_warmup_runs=2)

    assert len(rounds) == 6
    assert all(sorted(calls) == ["a", "b", "c"] for calls in rounds)


def test_every_call_follows_every_other_and_the_order_is_repeatable():
    rounds = order_of_calls(num_runs=30, num_warmup_runs=1)

    assert {calls[step : step + 2] for calls in rounds for step in (0, 1)} == {"ab", "ac", "ba", "bc", "ca", "cb"}
    assert rounds == order_of_calls(num_runs=30, num_warmup_runs=1)


def test_warmup_is_not_timed_and_times_go_to_their_call():
    elapsed = {"a": 1.0, "b": 2.0}
    now = [0.0]

    def call(name):
        now[0] += elapsed[name]
        elapsed[name] += 10.0

    seconds = interleave([lambda: call("a"), lambda: call("b")], num_runs=2, num_warmup_runs=1, clock=lambda: now[0])

    assert seconds == [[11.0, 21.0], [12.0, 22.0]]


def test_garbage_collection_rests_during_the_runs_and_comes_back_after_an_error():
    states = []
    interleave([lambda: states.append(gc.isenabled())], num_runs=1, num_warmup_runs=1)
    with pytest.raises(ZeroDivisionError):
        interleave([lambda: 1 / 0], num_runs=1, num_warmup_runs=1)

    assert states == [False, False]
    assert gc.isenabled()


def test_measure_gives_a_row_per_shape_and_subject_with_its_conditions():
    shapes_seen = []

    def forward(inputs):
        shapes_seen.append(inputs["input_ids"].shape)
        return np.zeros((inputs["input_ids"].shape[0], 2), dtype=np.float32)

    subjects = [Subject("dense", "onnxruntime", forward), Subject("deployed", "onnxruntime", forward)]
    rows = measure(
        subjects, subjects[0], [(1, 8), (4, 16)], vocab_size=50, num_threads=2, num_runs=3, num_warmup_runs=1
    )

    assert [(row.batch_size, row.sequence_length, row.candidate) for row in rows] == [
        (1, 8, "dense"),
        (1, 8, "deployed"),
        (4, 16, "dense"),
        (4, 16, "deployed"),
    ]
    assert shapes_seen == [(1, 8)] * 8 + [(4, 16)] * 8
    assert {(row.num_threads, row.num_runs, row.num_warmup_runs) for row in rows} == {(2, 3, 1)}
    assert [row.speed_ratio for row in rows[::2]] == [1.0, 1.0]
    assert all(0 < row.p50_ms <= row.p95_ms <= row.p99_ms for row in rows)
