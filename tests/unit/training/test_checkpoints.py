"""Whole checkpoints and those cut short."""

import pytest

from sparse_core.errors import ModelError
from sparse_core.training.checkpoints import (
    discard_cut_short,
    is_whole,
    last_whole_checkpoint,
    mark_whole,
    require_whole,
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


def test_discard_removes_only_those_cut_short(tmp_path):
    kept = checkpoint(tmp_path, 1)
    checkpoint(tmp_path, 2, whole=False)
    (tmp_path / "checkpoint-notes").mkdir()
    discard_cut_short(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [kept.name, "checkpoint-notes"]


def test_no_checkpoint_is_none(tmp_path):
    assert last_whole_checkpoint(tmp_path / "absent") is None


def test_require_whole_names_the_checkpoint(tmp_path):
    path = checkpoint(tmp_path, 3, whole=False)
    with pytest.raises(ModelError, match=r"resume_from_checkpoint: .*checkpoint-3 is not a whole checkpoint"):
        require_whole(path)
