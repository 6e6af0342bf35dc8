"""Whole checkpoints and those cut short."""

import pytest

from sparse_core.errors import ModelError
from sparse_core.training.checkpoints import (
    is_whole,
    last_whole_checkpoint,
    mark_whole,
    require_whole,
    set_aside_cut_short,
)


def checkpoint(directory, step, *, whole=True):
    """A checkpoint of two files."""
    path = directory / f"checkpoint-{step}"
    (path / "sub").mkdir(parents=True)
    (path / "model.safetensors").write_bytes(b"weights")
    (path / "sub" / "rng.bin").write_bytes(b"state")
    if whole:
        mark_whole(path)
    return path


def test_the_last_whole_one_is_found_by_number_not_by_name(tmp_path):
    checkpoint(tmp_path, 9)
    expected = checkpoint(tmp_path, 10)
    checkpoint(tmp_path, 11, whole=False)
    assert last_whole_checkpoint(tmp_path) == expected


def test_a_truncated_file_makes_it_cut_short(tmp_path):
    path = checkpoint(tmp_path, 1)
    (path / "sub" / "rng.bin").write_bytes(b"sta")
    assert not is_whole(path)


def test_a_missing_file_makes_it_cut_short(tmp_path):
    path = checkpoint(tmp_path, 1)
    (path / "model.safetensors").unlink()
    assert not is_whole(path)


def test_only_those_cut_short_are_set_aside_and_nothing_is_lost(tmp_path, caplog):
    checkpoint(tmp_path, 1)
    named = checkpoint(tmp_path, 4, whole=False)
    for _ in range(2):  # a process may be killed again at the same step
        content = checkpoint(tmp_path, 2, whole=False) / "model.safetensors"
        size_bytes = content.stat().st_size
        (tmp_path / "checkpoint-notes").mkdir(exist_ok=True)
        set_aside_cut_short(tmp_path, keep=named)
    names = ["checkpoint-1", "checkpoint-4", "checkpoint-notes", "cut-short-checkpoint-2"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names
    assert (tmp_path / "cut-short-checkpoint-2" / "model.safetensors").stat().st_size == size_bytes
    assert "checkpoint-2 has no checkpoint_complete.json that fits its files" in caplog.text


def test_no_checkpoint_is_none(tmp_path):
    assert last_whole_checkpoint(tmp_path / "absent") is None


def test_require_whole_names_the_checkpoint(tmp_path):
    path = checkpoint(tmp_path, 3, whole=False)
    with pytest.raises(ModelError) as caught:
        require_whole(path)
    assert caught.value.setting == "resume_from_checkpoint"
