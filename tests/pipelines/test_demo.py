from __future__ import annotations

from pathlib import Path

import pytest

from sparse_core.store import identity
from sparse_pipelines.pipelines import demo
from sparse_pipelines.pipelines.config import load_config
from sparse_pipelines.pipelines.preflight import preflight


def test_rows_are_the_same_each_time_and_balanced():
    rows = demo.make_rows()
    assert rows == demo.make_rows()
    assert {split: len(part) for split, part in rows.items()} == demo.NUM_ROWS
    positive = [label == "positive" for part in rows.values() for _, label in part]
    assert sum(positive) / len(positive) == pytest.approx(0.5, abs=0.03)


def test_no_single_word_gives_the_label_away():
    rows = [row for part in demo.make_rows().values() for row in part]
    for word in ("wonderful", "awful", "not", "but", "never"):
        labels = [label == "positive" for sentence, label in rows if word in sentence.split()]
        assert 0.25 < sum(labels) / len(labels) < 0.75, word


def test_the_vocabulary_has_every_word():
    vocab = demo.vocabulary()
    words = {word for part in demo.make_rows().values() for sentence, _ in part for word in sentence.split()}
    assert words <= set(vocab)
    assert sorted(vocab.values()) == list(range(len(vocab)))
    assert vocab["[PAD]"] == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    demo.write_demo(folder)
    return folder


@pytest.mark.slow
def test_the_files_make_a_valid_run(folder):
    preflight(load_config(folder / "config.yaml"))


@pytest.mark.slow
def test_the_files_are_the_same_each_time(folder, tmp_path):
    demo.write_demo(tmp_path)
    for name in ("data", "dense", "sparse", "config.yaml"):
        assert identity(folder / name) == identity(tmp_path / name)


@pytest.mark.slow
def test_the_sparse_model_is_the_dense_one_without_its_smallest_weights(folder):
    from safetensors.torch import load_file

    dense, sparse = (load_file(folder / name / "model.safetensors") for name in ("dense", "sparse"))
    for name, weight in dense.items():
        if name.startswith("bert.encoder") and weight.ndim == 2:
            kept = sparse[name] != 0
            assert kept.float().mean().item() == pytest.approx(1 - demo.SPARSITY, abs=1e-3)
            assert weight[kept].equal(sparse[name][kept])
            assert weight[kept].abs().min() >= weight[~kept].abs().max()
        else:
            assert weight.equal(sparse[name])
