"""The same content and the same code have one identity, wherever they lie."""

from __future__ import annotations

import os
import sys

import pytest

import sparse_core
from sparse_core.artifacts.record import RunRecord
from sparse_core.store import code_identity, file_entries, identity, manifest, write_json


@pytest.fixture
def artifact(tmp_path):
    """A published folder of two files."""
    folder = tmp_path / "artifact"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).write_text("first")
    RunRecord(step="prune").write(folder)
    return folder


@pytest.fixture
def read_files(monkeypatch):
    """Names of the files whose bytes were read."""
    names, read = [], manifest.file_sha256
    for module in (manifest, sys.modules["sparse_core.store.identity"]):  # the package has a function of this name
        monkeypatch.setattr(module, "file_sha256", lambda path: names.append(path.name) or read(path))
    return names


def test_folders_with_the_same_files_are_the_same_content(tmp_path):
    for name in ("first", "second"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "f.txt").write_text("same")
        (tmp_path / name / ".lock").write_text(name)
        write_json(tmp_path / name / "manifest.json", {"created": name})
    assert identity(tmp_path / "first", 1) == identity(tmp_path / "second", 1)
    assert identity(tmp_path / "first", 1) != identity(tmp_path / "first", 2)
    before = identity(tmp_path / "first")
    (tmp_path / "first" / "sub" / "f.txt").rename(tmp_path / "first" / "sub" / "g.txt")
    assert identity(tmp_path / "first") != before


def test_parts_are_told_apart(tmp_path):
    for name in ("ab/1", "ab/2", "a/1", "b/2"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "none").mkdir()
    assert identity("ab", "c") != identity("a", "bc")
    assert identity("1") != identity(1)
    assert identity(tmp_path / "ab", tmp_path / "none") != identity(tmp_path / "a", tmp_path / "b")


def test_a_path_that_does_not_exist_has_no_identity(tmp_path):
    with pytest.raises(FileNotFoundError):
        identity(tmp_path / "none")


def test_the_hash_in_a_record_stands_for_a_file_of_the_same_size_and_time(artifact, read_files):
    before = identity(artifact)
    assert read_files == []
    times = (artifact / "a.txt").stat()
    (artifact / "a.txt").write_text("other")  # other bytes of the same size, at the same time
    os.utime(artifact / "a.txt", ns=(times.st_atime_ns, times.st_mtime_ns))
    assert identity(artifact) == before
    assert read_files == []


@pytest.mark.parametrize("change", ["time", "size", "new file"])
def test_a_file_that_does_not_fit_its_record_is_read(artifact, read_files, change):
    before = identity(artifact)
    if change == "time":
        (artifact / "a.txt").write_text("other")
        os.utime(artifact / "a.txt", ns=(0, 12345))
    elif change == "size":
        (artifact / "a.txt").write_text("longer than it was")
    else:
        (artifact / "c.txt").write_text("new")
    assert identity(artifact) != before
    assert read_files == ["c.txt" if change == "new file" else "a.txt"]


def test_a_touched_file_with_its_old_bytes_is_the_same_content(artifact, read_files):
    before = identity(artifact)
    os.utime(artifact / "a.txt", ns=(0, 12345))
    assert identity(artifact) == before
    assert read_files == ["a.txt"]


@pytest.mark.parametrize("text", ["{", "[]", '{"files": ["a.txt"]}', '{"files": {"a.txt": {"size": 3}}}'])
def test_a_manifest_of_another_program_says_nothing(tmp_path, text):
    (tmp_path / "a.txt").write_text("abc")
    before = identity(tmp_path)
    (tmp_path / "manifest.json").write_text(text)
    assert identity(tmp_path) == before


def test_only_the_named_files_are_listed_and_read(artifact, read_files):
    assert list(file_entries(artifact, ["b.txt", "missing"])) == ["b.txt"]
    assert read_files == ["b.txt"]


def test_the_identity_of_code_changes_with_the_code(tmp_path, monkeypatch):
    monkeypatch.setattr(sparse_core, "__path__", [*sparse_core.__path__, str(tmp_path)])
    (tmp_path / "package").mkdir()
    files = [tmp_path / "package" / "__init__.py", tmp_path / "package" / "recipe.yaml"]

    def after(file, text):
        file.write_text(text)
        code_identity.cache_clear()
        return code_identity("sparse_core.package", "pydantic")

    files[0].write_text("")
    identities = [after(files[1], "a: 1"), after(files[1], "a: 2"), after(files[0], "X = 1"), after(files[0], "")]
    assert len(set(identities)) == 3 and identities[1] == identities[3]
    code_identity.cache_clear()


def test_the_identity_of_code_changes_with_versions_of_packages(monkeypatch):
    code_identity.cache_clear()
    before = code_identity("pydantic", "a package that is not installed")
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9999")
    code_identity.cache_clear()
    assert code_identity("pydantic", "a package that is not installed") != before
    code_identity.cache_clear()
