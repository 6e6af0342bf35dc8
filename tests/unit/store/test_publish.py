"""Files and folders appear whole or not at all, whatever happens to their writers."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

import pytest

from sparse_core.errors import ConfigError, OutputError
from sparse_core.store import (
    publish,
    publishing,
    publishing_file,
    publishing_into,
    require_free,
    require_room,
    write_json,
)

DAY_SECONDS = 24 * 3600


def content(folder):
    """Texts of the visible files by name."""
    return {file.name: file.read_text() for file in sorted(folder.iterdir()) if not file.name.startswith(".")}


@pytest.fixture
def one_process_number(monkeypatch):
    """Containers on a shared volume: the same host name and process number."""
    monkeypatch.setattr(os, "getpid", lambda: 1)


# --- whole or not at all ----------------------------------------------------------------------------------------------


def test_a_folder_appears_when_the_block_ends(tmp_path):
    with publishing(tmp_path / "new" / "out") as staging:
        (staging / "a.txt").write_text("abc")
        assert not (tmp_path / "new" / "out").exists()
    assert content(tmp_path / "new" / "out") == {"a.txt": "abc"}
    assert os.listdir(tmp_path / "new") == ["out"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_writer_that_fails_leaves_nothing(tmp_path, replace):
    with pytest.raises(RuntimeError), publishing(tmp_path / "out", replace=replace) as staging:
        (staging / "a.txt").write_text("abc")
        raise RuntimeError
    assert os.listdir(tmp_path) == []


def test_a_killed_writer_leaves_the_target_free(tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path; from sparse_core.store import publishing\n"
        "with publishing(Path(sys.argv[1])) as s:\n"
        "    (s / 'a.txt').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process = subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], check=False)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    with publishing(tmp_path / "out") as staging:
        (staging / "a.txt").write_text("whole")
    assert content(tmp_path / "out") == {"a.txt": "whole"}


def test_an_empty_folder_may_be_there_already(tmp_path):
    (tmp_path / "out").mkdir()
    with publishing(tmp_path / "out") as staging:
        (staging / "a.txt").write_text("abc")
    assert content(tmp_path / "out") == {"a.txt": "abc"}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_target_in_use_is_refused_and_kept(tmp_path, kind):
    out = tmp_path / "out"
    mine = out if kind == "file" else out / "mine.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(OutputError) as caught, publishing(out):
        pass
    assert caught.value.setting == "output"
    assert mine.read_text() == "mine"


@pytest.mark.usefixtures("one_process_number")
def test_of_two_writers_the_first_to_finish_wins(tmp_path):
    with pytest.raises(OutputError) as caught, publishing(tmp_path / "out") as slow:
        (slow / "a.txt").write_text("half")
        with publishing(tmp_path / "out") as fast:
            assert slow != fast
            (fast / "b.txt").write_text("whole")
    assert caught.value.setting == "output"
    assert content(tmp_path / "out") == {"b.txt": "whole"}
    assert os.listdir(tmp_path) == ["out"]


@pytest.mark.parametrize("write", [publishing, publishing_file, lambda path: publishing_into(path, last="x")])
def test_a_target_that_cannot_be_written_is_refused(tmp_path, write):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError) as caught, write(tmp_path / "file" / "below" / "out"):
        pass
    assert caught.value.setting == "output"


@pytest.mark.parametrize("write", [publishing, publishing_file, lambda path: publishing_into(path, last="x")])
def test_a_target_in_object_storage_is_refused_and_not_made_here(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught, write(Path("s3://bucket/out")):
        pass
    assert caught.value.setting == "output"
    assert os.listdir(tmp_path) == []


# --- replacing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("earlier", ["file", "folder", "nothing"])
@pytest.mark.parametrize("exchange", [True, False])
def test_an_earlier_result_is_replaced(tmp_path, monkeypatch, earlier, exchange):
    if not exchange:
        monkeypatch.setattr(publish, "_exchange", lambda first, second: False)
    if earlier == "file":
        (tmp_path / "out").write_text("old")
    elif earlier == "folder":
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "old.txt").write_text("old")
    with publishing(tmp_path / "out", replace=True) as staging:
        (staging / "new.txt").write_text("new")
    assert content(tmp_path / "out") == {"new.txt": "new"}
    assert os.listdir(tmp_path) == ["out"]


@contextmanager
def killed_after(num_lines):
    """Kills this process when the publishing module has run that many lines inside the block."""
    count = 0

    def count_lines(frame, event, _):
        nonlocal count
        if frame.f_code.co_filename != publish.__file__:
            return None
        count += event == "line"
        if count > num_lines:
            os.kill(os.getpid(), signal.SIGKILL)
        return count_lines

    sys.settrace(count_lines)
    try:
        yield
    finally:
        sys.settrace(None)


def states_after_kills(tmp_path, prepare, write):
    """What `out` holds when `write` is killed after each of its lines, and at last when it is not killed."""
    for num_lines in range(1000):
        folder = tmp_path / str(num_lines)
        folder.mkdir()
        prepare(folder / "out")
        if (child := os.fork()) == 0:
            with killed_after(num_lines):
                write(folder / "out")
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        yield folder / "out"
        if status == 0:
            return
    raise AssertionError("never finished")


def write_out(folder, files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def test_a_kill_at_any_line_leaves_the_old_result_or_the_new_one(tmp_path):
    old, new = {"a": "1", "b": "1"}, {"b": "2", "c": "2"}

    def write(out):
        with publishing(out, replace=True) as staging:
            write_out(staging, new)

    states = [content(out) for out in states_after_kills(tmp_path, lambda out: write_out(out, old), write)]
    changed = states.index(new)
    assert changed > 5
    assert all(state == old for state in states[:changed]) and all(state == new for state in states[changed:])


def test_a_kill_at_any_line_leaves_no_mixture_that_counts(tmp_path):
    old, new = {"a": "1", "b": "1", "last": "1", "other": "mine"}, {"b": "2", "c": "2", "last": "2"}

    def write(out):
        with publishing_into(out, last="last", outdated=lambda name: name == "a") as staging:
            write_out(staging, new)

    whole = (old, {**new, "other": "mine"})
    states = [content(out) for out in states_after_kills(tmp_path, lambda out: write_out(out, old), write)]
    assert (states[0], states[-1]) == whole
    assert sum(state not in whole for state in states) > 3
    for state in states:
        assert state in whole or "last" not in state
        assert state["other"] == "mine"


# --- files, and files into a folder -----------------------------------------------------------------------------------


def test_a_file_is_replaced_and_one_that_was_not_written_is_an_error(tmp_path):
    (tmp_path / "rows").write_text("old")
    with publishing_file(tmp_path / "rows") as partial:
        partial.write_text("new")
    assert (tmp_path / "rows").read_text() == "new"
    with pytest.raises(FileNotFoundError), publishing_file(tmp_path / "rows"):
        pass
    assert content(tmp_path) == {"rows": "new"}


def test_files_join_the_files_of_a_folder(tmp_path):
    for name in ("old_a", "old_b", "mine", "last"):
        (tmp_path / name).write_text("old")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "old").write_text("old")
    with publishing_into(tmp_path, last="last", outdated=lambda name: name.startswith("old")) as staging:
        (staging / "last").write_text("new")
        (staging / "sub").mkdir()
        (staging / "sub" / "new").write_text("new")
    assert content(tmp_path / "sub") == {"new": "new"}
    shutil.rmtree(tmp_path / "sub")
    assert content(tmp_path) == {"last": "new", "mine": "old"}


def test_files_of_a_writer_that_fails_do_not_join(tmp_path):
    (tmp_path / "last").write_text("old")
    with pytest.raises(RuntimeError), publishing_into(tmp_path, last="last", outdated=lambda name: True) as staging:
        (staging / "last").write_text("new")
        raise RuntimeError
    assert content(tmp_path) == {"last": "old"}


def test_json_with_nan_is_refused_and_the_old_content_stays(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["x.json"]


# --- what killed writers left, and room -------------------------------------------------------------------------------


def test_leftovers_are_removed_after_a_day_without_a_write(tmp_path):
    yesterday = time.time() - DAY_SECONDS - 3600

    def leave(name, *, folder=False, written=yesterday):
        path = tmp_path / name
        file = path / "rows" if folder else path
        file.parent.mkdir(exist_ok=True)
        file.write_text("half")
        os.utime(file, (written, written))
        if folder:
            os.utime(path, (yesterday, yesterday))
        return path

    abandoned = [leave(".a.0123456789abcdef.partial"), leave(".b.c.0123456789abcdee.partial", folder=True)]
    kept = [
        leave(".a.0123456789abcdef.earlier"),
        leave(".rsync.partial"),  # of another program
        leave("whole", folder=True),
        leave(".a.0123456789abcded.partial", written=time.time() - 3600),
        leave(".a.0123456789abcdec.partial", folder=True, written=time.time() - 3600),  # a long file in an old folder
    ]
    write_json(tmp_path / "x.json", {})
    assert not any(path.exists() for path in abandoned) and all(path.exists() for path in kept)


def test_room_is_measured_where_the_output_will_be(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    measured = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: measured.append(path) or usage(9, 0, 2_000_000_000))
    require_room(tmp_path / "not" / "yet", 1_000_000_000, "a test")
    assert measured == [tmp_path]
    with pytest.raises(OutputError) as caught:
        require_room(tmp_path, 3_000_000_000, "a test")
    assert caught.value.setting == "output"
    assert "has 2.00 GB free, but a test needs 3.00 GB" in caught.value.problem


def test_a_new_name_and_an_empty_folder_are_free(tmp_path):
    require_free(tmp_path)
    require_free(tmp_path / "new")
