"""The run record says what made an artifact, and refuses what it cannot read."""

from __future__ import annotations

import json

import pytest

from sparse_core import __version__
from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ArtifactError
from sparse_core.store import MANIFEST_NAME, read_manifest

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_record_is_read_as_it_was_written(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.txt").write_text("abc")
    record = RunRecord(
        step="prune",
        seconds=1.5,
        settings={"seed": 1, "recipe_args": {"lr": None}},
        contents={"model": "0a"},
        metrics={"eval_accuracy": 0.5, "eval_loss": None},
        log_history=[{"loss": 0.1, "epoch": 1.0}],
        warnings=["teacher is not used"],
    )
    record.write(tmp_path)
    read = RunRecord.read(tmp_path)
    assert read.model_copy(update={"files": {}}) == record
    assert (read.format_version, read.sparse_core) == (1, __version__)
    assert list(read.files) == ["sub/a.txt"]
    assert (read.files["sub/a.txt"].sha256, read.files["sub/a.txt"].size_bytes) == (SHA256_OF_ABC, 3)


def test_a_record_lists_the_files_that_belong_to_the_artifact(tmp_path):
    for name in ("model.onnx", "notes.txt"):
        (tmp_path / name).write_text("abc")
    RunRecord(step="export_onnx").write(tmp_path, ["model.onnx", "not there"])
    assert list(RunRecord.read(tmp_path).files) == ["model.onnx"]


def test_unset_fields_are_not_written(tmp_path):
    RunRecord(step="prune").write(tmp_path)
    assert set(read_manifest(tmp_path)) == {"format_version", "step", "sparse_core", "created_unix"}


@pytest.mark.parametrize("text", [None, "{}", '{"name": "of another program", "files": []}'])
def test_a_folder_from_elsewhere_has_no_record(tmp_path, text):
    if text is not None:
        (tmp_path / MANIFEST_NAME).write_text(text)
    assert RunRecord.read(tmp_path) is None


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", '{"format_version": 2}', '{"step": 1}', '{"step": "x", "files": {"a": {}}}', '{"sparse_core": ""}'],
)
def test_a_record_that_is_damaged_or_newer_is_refused(tmp_path, text):
    (tmp_path / MANIFEST_NAME).write_text(text)
    with pytest.raises(ArtifactError, match=MANIFEST_NAME):
        RunRecord.read(tmp_path)


def test_a_record_of_an_earlier_version_is_read(tmp_path):
    entry = {"sha256": SHA256_OF_ABC, "size_bytes": 3}
    values = {"step": "prune", "sparse_core": "0.1", "step_seconds": 2.0, "created_unix": 5, "files": {"a": entry}}
    (tmp_path / MANIFEST_NAME).write_text(json.dumps(values))
    record = RunRecord.read(tmp_path)
    assert (record.step, record.sparse_core, record.files["a"].modified_ns) == ("prune", "0.1", None)
