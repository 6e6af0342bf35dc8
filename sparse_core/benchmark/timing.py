"""Latency of several engines, measured in turns: a machine that slows down for a while slows all of them."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sparse_core.artifacts.report_parts import Latency
from sparse_core.benchmark.engines.base import Forward, make_inputs

PERCENTILES = (50, 95, 99)
_SHUFFLE_SEED = 0


@dataclass(frozen=True)
class Subject:
    """One candidate, loaded in one engine."""

    candidate: str
    engine: str
    forward: Forward


def measure(
    subjects: Sequence[Subject],
    reference: Subject,
    shapes: Sequence[tuple[int, int]],
    *,
    vocab_size: int,
    num_threads: int,
    num_runs: int,
    num_warmup_runs: int,
) -> list[Latency]:
    """Times all subjects at each (batch_size, sequence_length); rows ordered by shape, then as `subjects`.

    `reference` must be one of `subjects`. `num_threads` is recorded, not set: the engines were loaded with it.
    """
    rows = []
    for batch_size, sequence_length in shapes:
        inputs = make_inputs(batch_size, sequence_length, vocab_size)
        calls = [_bind(subject.forward, inputs) for subject in subjects]
        seconds = interleave(calls, num_runs, num_warmup_runs)
        reference_seconds = seconds[list(subjects).index(reference)]
        for subject, own_seconds in zip(subjects, seconds, strict=True):
            rows.append(
                Latency(
                    candidate=subject.candidate,
                    engine=subject.engine,
                    batch_size=batch_size,
                    sequence_length=sequence_length,
                    num_threads=num_threads,
                    num_warmup_runs=num_warmup_runs,
                    num_runs=num_runs,
                    **summarize(own_seconds, batch_size),
                    speed_ratio=speed_ratio(reference_seconds, own_seconds),
                )
            )
    return rows


def _bind(forward: Forward, inputs: dict[str, np.ndarray]) -> Callable[[], object]:
    return lambda: forward(inputs)


def interleave(
    calls: Sequence[Callable[[], object]],
    num_runs: int,
    num_warmup_runs: int,
    clock: Callable[[], float] = time.perf_counter,
) -> list[list[float]]:
    """Seconds of each call in each timed round: result[call][round].

    A round makes every call once. Each round has another order, so that no call always runs after the same neighbour
    and its caches; the orders are the same in every measurement. Garbage collection is off during the rounds.
    """
    seconds: list[list[float]] = [[] for _ in calls]
    shuffle = random.Random(_SHUFFLE_SEED)
    collects = gc.isenabled()
    gc.disable()
    try:
        for round_index in range(-num_warmup_runs, num_runs):
            for index in shuffle.sample(range(len(calls)), len(calls)):
                start = clock()
                calls[index]()
                elapsed = clock() - start
                if round_index >= 0:
                    seconds[index].append(elapsed)
    finally:
        if collects:
            gc.enable()
    return seconds


def summarize(seconds: Sequence[float], batch_size: int) -> dict[str, float]:
    """p50_ms, p95_ms, p99_ms (linear interpolation), mean_ms, and rows_per_second over all runs together."""
    percentiles = np.percentile(np.asarray(seconds) * 1e3, PERCENTILES)
    return {
        **{f"p{rank}_ms": float(value) for rank, value in zip(PERCENTILES, percentiles, strict=True)},
        "mean_ms": float(np.mean(seconds) * 1e3),
        "rows_per_second": batch_size * len(seconds) / float(np.sum(seconds)),
    }


def speed_ratio(reference_seconds: Sequence[float], own_seconds: Sequence[float]) -> float:
    """Median over the rounds of reference / own; above 1: faster than the reference of the same round."""
    return float(np.median(np.asarray(reference_seconds) / np.asarray(own_seconds)))
