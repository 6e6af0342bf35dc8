"""The cache holds whole results only, also with two writers at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sparse_core.errors import OutputError
from sparse_core.store import CACHE_VARIABLE, cache_root, cached


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    return tmp_path / "cache"


def folder_with(text):
    def write(path):
        path.mkdir()
        (path / "rows").write_text(text)

    return write


def file_with(text):
    return lambda path: path.write_text(text)


def test_the_variable_names_the_folder(monkeypatch):
    monkeypatch.setenv(CACHE_VARIABLE, "/somewhere")
    assert cache_root() == Path("/somewhere")
    monkeypatch.setenv(CACHE_VARIABLE, "")
    monkeypatch.setenv("HOME", os.sep + "home")
    assert cache_root() == Path("/home/.cache/sparse_core")


def test_a_result_is_made_once(root):
    assert cached("tokens", "key", folder_with("1")) == (root / "tokens" / "key", False)
    assert cached("tokens", "key", folder_with("2")) == (root / "tokens" / "key", True)
    assert (root / "tokens" / "key" / "rows").read_text() == "1"


def test_a_result_is_made_again_on_request():
    for text in ("1", "2"):
        path, had = cached("tokens", "folder", folder_with(text), refresh=True)
        assert ((path / "rows").read_text(), had) == (text, False)
        path, had = cached("tokens", "file", file_with(text), refresh=True)
        assert (path.read_text(), had) == (text, False)


def test_a_writer_that_fails_leaves_nothing(root):
    def write(path):
        path.mkdir()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cached("tokens", "key", write)
    assert os.listdir(root / "tokens") == []


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_two_writers_at_once_both_get_a_whole_result(root, kind):
    meet, results = threading.Barrier(2), []

    def run():
        def write(path):
            meet.wait(timeout=10)  # both have found the cache empty
            (folder_with("whole") if kind == "folder" else file_with("whole"))(path)
            meet.wait(timeout=10)

        path, had = cached("tokens", "key", write)
        results.append(((path / "rows" if kind == "folder" else path).read_text(), had))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [("whole", False)] * 2
    assert os.listdir(root / "tokens") == ["key"]


def test_a_cache_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(OutputError) as caught:
        cached("tokens", "key", file_with("1"))
    assert caught.value.setting == CACHE_VARIABLE
