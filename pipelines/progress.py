"""Shows the progress of a local run, from the lines that kfp.local prints and logs.

kfp.local has no events, so this module reads its lines. A line of an unknown form goes only to the log file. If KFP
changes its wording, a progress line may be missing, but no result is lost.
"""

from __future__ import annotations

import logging
import re
import time
from typing import Literal, TextIO

from sparse_core.artifacts.record import TaskRun

_COLOURS = re.compile(r"\x1b\[\d*m")
_STARTED = re.compile(r" - INFO - Executing task '(?P<task>[^']+)'$")
_FINISHED = re.compile(r" - (?:INFO|ERROR) - Task '(?P<task>[^']+)' finished with status (?P<status>[A-Z]+)$")
_CACHED = re.compile(r"^Task (?P<task>\S+) cache hit ")
_EXECUTOR = re.compile(r"^\[KFP Executor ")
_STEP_SECONDS = re.compile(r"^step_seconds: (?P<seconds>\d+\.\d+)$")
_PASSING = re.compile(r", about .* left$")  # on a terminal, the next line overwrites such a line
_ERROR = "error: "
_HEADER, _PASSING_LINE = "header", "passing"
_STREAM_INDENT = "    "  # kfp.local puts four spaces before the output of a task


class Progress:
    """Replaces stdout while a pipeline runs: shows tasks and their lines on `screen`, writes every line to `log`."""

    encoding = "utf-8"

    def __init__(self, labels: dict[str, str], screen: TextIO, log: TextIO) -> None:
        """Starts before the first task.

        Args:
            labels: KFP's name of each task -> the name to show; its length is the number of tasks.
            screen: stream for the user.
            log: stream for every line, unchanged.
        """
        self.records: list[TaskRun] = []
        self.error = ""
        """The error message of the step that failed; empty if there was none."""
        self._labels, self._screen, self._log = labels, screen, log
        self._pending = ""
        self._task = ""
        self._started = 0.0
        self._step_seconds = 0.0
        self._open_line = ""
        self._in_executor_input = False

    def write(self, text: str) -> int:
        """Takes text as a stream does, and handles every complete line."""
        *lines, self._pending = (self._pending + text).split("\n")
        for line in lines:
            self.line(line)
        return len(text)

    def flush(self) -> None:
        """Flushes the screen."""
        self._screen.flush()

    def isatty(self) -> bool:
        """False, so that steps draw no progress bars: their output is parsed."""
        return False

    def line(self, raw: str) -> None:
        """Logs one line of KFP or of a step, and shows it if it is of use."""
        self._log.write(raw + "\n")
        line = _COLOURS.sub("", raw).rstrip()
        if started := _STARTED.search(line):
            self._start(started["task"])
        elif finished := _FINISHED.search(line):
            self._finish(finished["task"], "done" if finished["status"] == "SUCCESS" else "failed")
        elif self._task:
            self._step_line(line.removeprefix(_STREAM_INDENT))

    def cached(self, task: str) -> None:
        """Shows a task whose result is cached."""
        self._start(task)
        self._finish(task, "cached")

    def _start(self, task: str) -> None:
        self._task, self._started, self._step_seconds = task, time.perf_counter(), 0.0
        number = f"[{len(self.records) + 1}/{len(self._labels)}]"
        self._show(f"{number} {self._labels.get(task, task)} ...", then=_HEADER)

    def _finish(self, task: str, status: Literal["done", "cached", "failed"]) -> None:
        wall = 0.0 if status == "cached" else time.perf_counter() - self._started
        self.records.append(TaskRun(task=task, status=status, wall_seconds=wall, step_seconds=self._step_seconds))
        text = {"done": f"done in {wall:.1f} s", "cached": "cached", "failed": "FAILED"}[status]
        if self._open_line == _HEADER:
            self._open_line = ""
            self._show(f" {text}")
        else:
            self._show(f"      {self._labels.get(task, task)} {text}")
        self._task = ""

    def _step_line(self, line: str) -> None:
        if self._in_executor_input:
            self._in_executor_input = line != "}"
        elif _EXECUTOR.match(line):
            self._in_executor_input = line.endswith("Got executor_input:")
        elif seconds := _STEP_SECONDS.match(line):
            self._step_seconds = float(seconds["seconds"])
        elif line.startswith(_ERROR):
            self.error = line.removeprefix(_ERROR)
        elif line and " - INFO - Streamed logs:" not in line:
            passing = _PASSING.search(line) and self._screen.isatty()
            self._show(f"      {line}", then=_PASSING_LINE if passing else "")

    def _show(self, text: str, then: str = "") -> None:
        """Writes a line to the screen.

        Args:
            text: the line.
            then: kind of an open line, which the next text continues or overwrites; empty: the line is complete.
        """
        before = {"": "", _HEADER: "\n", _PASSING_LINE: "\r\x1b[K"}[self._open_line]
        self._screen.write(before + text + ("" if then else "\n"))
        self._screen.flush()
        self._open_line = then


class ProgressHandler(logging.Handler):
    """Reports cached tasks to a Progress, because KFP logs them to the root logger and not to stdout."""

    def __init__(self, progress: Progress) -> None:
        """Reports to `progress`."""
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        """Reports the task if the record is about a cached one."""
        if cached := _CACHED.match(record.getMessage()):
            self._progress.cached(cached["task"])
