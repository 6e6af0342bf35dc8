from __future__ import annotations

import io
import logging
import re

from sparse_pipelines.pipelines.progress import Progress, ProgressHandler

LABELS = {"fetch-model": "fetch_model", "prune": "prune"}
KFP_LINES = """\
08:21:04.250 - INFO - Running pipeline: \x1b[95m'p'\x1b[0m
----------------------------------------
08:21:04.254 - INFO - Executing task \x1b[96m'prune'\x1b[0m
08:21:04.254 - INFO - Streamed logs:

    [KFP Executor 2026-11-21 08:21:04,314 INFO]: Got executor_input:
    {
        "inputs": {
            "parameterValues": {}
        }
    }
    epoch 1.0 loss 0.5
    step_seconds: 1.250
    [KFP Executor 2026-11-21 08:21:04,315 INFO]: Wrote executor output file.
    \n
08:21:04.324 - INFO - Task \x1b[96m'prune'\x1b[0m finished with status \x1b[92mSUCCESS\x1b[0m
08:21:04.325 - INFO - Task \x1b[96m'prune'\x1b[0m outputs:
    metrics: Metrics( name='metrics',
----------------------------------------
"""


def shown(text: str, labels: dict[str, str] = LABELS) -> tuple[Progress, str, str]:
    screen, log = io.StringIO(), io.StringIO()
    progress = Progress(labels, screen, log)
    progress.write(text)
    return progress, re.sub(r"in \d+\.\d s", "in T s", screen.getvalue()), log.getvalue()


def test_a_task_shows_its_own_lines_and_nothing_of_kfp():
    progress, screen, log = shown(KFP_LINES)
    assert screen == "[1/2] prune ...\n      epoch 1.0 loss 0.5\n      prune done in T s\n"
    assert log == KFP_LINES, "the log file keeps everything"
    (record,) = progress.records
    assert (record.task, record.status, record.step_seconds) == ("prune", "done", 1.25)
    assert 0 <= record.wall_seconds < 1


def test_a_silent_task_is_one_line():
    lines = KFP_LINES.replace("    epoch 1.0 loss 0.5\n", "")
    assert shown(lines)[1] == "[1/2] prune ... done in T s\n"


def test_text_may_come_in_pieces():
    screen, log = io.StringIO(), io.StringIO()
    progress = Progress(LABELS, screen, log)
    for letter in KFP_LINES:
        progress.write(letter)
    assert [record.status for record in progress.records] == ["done"]
    assert screen.getvalue().startswith("[1/2] prune ...\n      epoch 1.0 loss 0.5\n")


def test_a_cached_task_says_so():
    screen = io.StringIO()
    progress = Progress(LABELS, screen, io.StringIO())
    logger = logging.Logger("root")
    logger.addHandler(ProgressHandler(progress))
    logger.info("Task %s cache hit (key=0123); skipping execution.", "fetch-model")
    logger.info("Cleaned up workspace: /tmp/x")
    progress.write(KFP_LINES)
    assert screen.getvalue().startswith("[1/2] fetch_model ... cached\n[2/2] prune ...")
    assert [record.status for record in progress.records] == ["cached", "done"]
    assert progress.records[0].wall_seconds == 0


def test_a_terminal_shows_the_time_left_in_one_place():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    passing = "    epoch 0.5 of 4, about 9 s left\n    epoch 0.7 of 4, about 5 s left\n"
    screen = Terminal()
    Progress(LABELS, screen, io.StringIO()).write(KFP_LINES.replace("    epoch 1.0", passing + "    epoch 1.0"))
    erased = "\r\x1b[K"
    assert screen.getvalue().startswith(
        f"[1/2] prune ...\n      epoch 0.5 of 4, about 9 s left{erased}      epoch 0.7 of 4, about 5 s left"
        f"{erased}      epoch 1.0 loss 0.5\n      prune done in "
    )


def test_the_sentence_of_a_failed_task_is_kept_for_the_end():
    lines = KFP_LINES.replace("    step_seconds: 1.250\n", "    error: train_file: x is empty\n").replace(
        "INFO - Task \x1b[96m'prune'\x1b[0m finished with status \x1b[92mSUCCESS",
        "ERROR - Task \x1b[96m'prune'\x1b[0m finished with status \x1b[91mFAILURE",
    )
    progress, screen, _ = shown(lines)
    assert progress.error == "train_file: x is empty"
    assert screen == "[1/2] prune ...\n      epoch 1.0 loss 0.5\n      prune FAILED\n"
    assert progress.records[0].status == "failed"
    assert progress.records[0].step_seconds == 0


def test_lines_outside_a_task_are_not_shown():
    assert shown("anything\n")[1] == ""
