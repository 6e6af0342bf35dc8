"""Artifacts appear whole or not at all."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import pytest

from sparse_core import __version__
from sparse_core.artifacts import (
    CACHE_VARIABLE,
    cache_root,
    exclusive,
    fingerprint,
    partial_path,
    publish,
    read_manifest,
    require_disk_space,
    staged,
    write_json,
)
from sparse_core.errors import OutputError


def test_staged_publishes_with_a_manifest_of_its_files(tmp_path):
    with staged(tmp_path / "out", "prune", step_seconds=1.5) as staging:
        (staging / "a.txt").write_text("abc")
    manifest = read_manifest(tmp_path / "out")
    assert manifest["step"] == "prune"
    assert manifest["step_seconds"] == 1.5
    assert manifest["sparse_core"] == __version__
    sha256_of_abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert manifest["files"] == {"a.txt": {"sha256": sha256_of_abc, "size_bytes": 3}}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failed_step_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), staged(tmp_path / "out", "prune") as staging:
        (staging / "a.txt").write_text("abc")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_killed_step_leaves_the_output_free(tmp_path):
    script = (
        "import os, signal, sys; from pathlib import Path; from sparse_core.artifacts import staged\n"
        "with staged(Path(sys.argv[1]), 'prune') as s:\n"
        "    (s / 'a.txt').write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    process = subprocess.run([sys.executable, "-c", script, str(tmp_path / "out")], check=False)
    assert process.returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    with staged(tmp_path / "out", "prune") as staging:
        (staging / "a.txt").write_text("whole")
    assert (tmp_path / "out" / "a.txt").read_text() == "whole"


def test_an_empty_output_folder_may_be_there_already(tmp_path):
    (tmp_path / "out").mkdir()
    with staged(tmp_path / "out", "prune"):
        pass
    assert read_manifest(tmp_path / "out")["files"] == {}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_output_in_use_is_refused_and_kept(tmp_path, kind):
    out = tmp_path / "out"
    mine = out if kind == "file" else out / "mine.txt"
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    with pytest.raises(OutputError, match="output: .*out is already in use"), staged(out, "prune"):
        pass
    assert mine.read_text() == "mine"


def test_fingerprint_is_of_contents_and_relative_names(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "f.txt").write_text("same")
        write_json(tmp_path / name / "manifest.json", {"created": name})
    assert fingerprint(tmp_path / "first", 1) == fingerprint(tmp_path / "second", 1)
    assert fingerprint(tmp_path / "first", 1) != fingerprint(tmp_path / "first", 2)
    before = fingerprint(tmp_path / "first")
    (tmp_path / "first" / "sub" / "f.txt").rename(tmp_path / "first" / "sub" / "g.txt")
    assert fingerprint(tmp_path / "first") != before


def test_fingerprint_tells_parts_apart():
    assert fingerprint("ab", "c") != fingerprint("a", "bc")
    assert fingerprint("1") != fingerprint(1)


def test_write_json_refuses_nan_and_keeps_the_old_content(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}


def test_no_manifest_is_an_empty_one(tmp_path):
    assert read_manifest(tmp_path) == {}


def test_disk_space_is_measured_where_the_output_will_be(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    asked = []
    monkeypatch.setattr(shutil, "disk_usage", lambda path: asked.append(path) or usage(9, 0, 2_000_000_000))
    require_disk_space(tmp_path / "not" / "yet", 1_000_000_000, "a test")
    assert asked == [tmp_path]
    message = "has 2.00 GB free, but a test needs 3.00 GB; free some space"
    with pytest.raises(OutputError, match=message):
        require_disk_space(tmp_path, 3_000_000_000, "a test")


def test_cache_root_follows_the_variable_and_defaults_to_the_home(monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "/somewhere")
    assert cache_root() == Path("/somewhere")
    monkeypatch.setenv(CACHE_VARIABLE, "")
    monkeypatch.setenv("HOME", os.sep + "home")
    assert cache_root() == Path("/home/.cache/sparse_core")


def test_a_folder_is_held_by_one_process(tmp_path):
    code = (
        "import sys\nfrom pathlib import Path\nfrom sparse_core.artifacts import exclusive\n"
        "with exclusive(Path(sys.argv[1]), 'output_dir'):\n    print('held', flush=True)\n    sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(OutputError, match=f"output_dir: {tmp_path} is in use by process {holder.pid}"):
        with exclusive(tmp_path, "output_dir"):
            pass
    holder.communicate()
    with exclusive(tmp_path, "output_dir"):
        assert (tmp_path / ".lock").read_text() == str(os.getpid())


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written to"):
        with exclusive(tmp_path / "file" / "out", "output_dir"):
            pass


def test_writers_of_one_path_never_share_a_partial(tmp_path, monkeypatch):
    """Containers on a shared volume: the same host name and process number, so only chance tells them apart."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with partial_path(tmp_path / "tokens") as first, partial_path(tmp_path / "tokens") as second:
        assert first != second and first.parent == second.parent == tmp_path
        for folder in (first, second):
            folder.mkdir()
            (folder / "rows").write_text(folder.name)
        publish(first, tmp_path / "tokens")
        publish(second, tmp_path / "tokens")
    assert (tmp_path / "tokens" / "rows").read_text() == first.name
    assert os.listdir(tmp_path) == ["tokens"]


def test_two_steps_with_one_process_number_publish_whole_artifacts(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with pytest.raises(OSError, match="not empty"), staged(tmp_path / "out", "prune") as slow:
        (slow / "a.txt").write_text("half")
        with staged(tmp_path / "out", "prune") as fast:
            (fast / "b.txt").write_text("whole")
        (slow / "a.txt").write_text("whole")
    assert sorted(os.listdir(tmp_path / "out")) == ["b.txt", "manifest.json"]
    assert os.listdir(tmp_path) == ["out"]


def test_a_file_is_replaced_and_a_missing_one_is_an_error(tmp_path):
    (tmp_path / "rows").write_text("old")
    with partial_path(tmp_path / "rows") as partial:
        partial.write_text("new")
        publish(partial, tmp_path / "rows")
    assert (tmp_path / "rows").read_text() == "new"
    with pytest.raises(FileNotFoundError), partial_path(tmp_path / "rows") as partial:
        publish(partial, tmp_path / "other")
    assert os.listdir(tmp_path) == ["rows"]


def test_what_killed_writers_left_goes_after_a_day_without_a_write(tmp_path):
    yesterday = time.time() - 25 * 3600

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
