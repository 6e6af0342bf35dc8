"""The lines that tell how a training gets on."""

from __future__ import annotations

import logging

from transformers import TrainerState

from sparse_core.training.callback import ProgressCallback


def test_scores_of_an_evaluation_are_logged_and_counts_as_integers(caplog):
    metrics = {"eval_loss": 0.5, "eval_f1": 2 / 3, "eval_LOC_number": 12, "eval_runtime": 1.5, "epoch": 2.0}

    with caplog.at_level(logging.INFO, logger="sparse_core"):
        ProgressCallback().on_evaluate(None, TrainerState(epoch=2.0), None, metrics)

    assert caplog.messages == ["epoch 2.00: validation loss 0.5000, f1 0.6667, LOC_number 12"]
