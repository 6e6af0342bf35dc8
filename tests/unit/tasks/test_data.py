"""Tokenized splits: their content, and when they are made."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time

import datasets
import pytest

import sparse_core.tasks.data
from sparse_core.errors import ConfigError, DataError
from sparse_core.store import cache_root
from sparse_core.tasks import get_task, load_tokenizer, read_examples
from sparse_core.tasks.text_classification.task import TextClassification
from tests.unit.tasks.conftest import make_dataset

TASK = get_task("text_classification")


@pytest.fixture
def tokenizer(encoder):
    return load_tokenizer(encoder)


@pytest.fixture
def num_calls(monkeypatch):
    """Number of batches that were tokenized."""
    calls = []
    tokenize = TextClassification.tokenize

    def counted(self, rows, *arguments):
        calls.append(len(rows["text"]))
        return tokenize(self, rows, *arguments)

    monkeypatch.setattr(TextClassification, "tokenize", counted)
    return lambda: len(calls)


def folders():
    return sorted((cache_root() / "tokens").iterdir())


def test_rows_are_cut_not_padded_and_in_order(dataset, tokenizer):
    rows = TASK.load_split(dataset, "train", tokenizer, 6)
    assert set(rows.column_names) == {"input_ids", "token_type_ids", "attention_mask", "labels", "length"}
    assert rows["input_ids"][:4] == [[2, 9, 5, 7, 3], [2, 10, 6, 8, 3], [2, 11, 11, 5, 3], [2, 6, 3]]
    assert rows["input_ids"][4] == [2, 9, 11, 6, 12, 3]
    assert rows["length"][:] == [5, 5, 5, 3, 6]
    assert rows["labels"][:] == [1, 0, 1, 0, 1]
    assert rows["attention_mask"][3] == [1, 1, 1]
    assert rows.features["input_ids"].feature.dtype == "int32"


def test_a_second_call_tokenizes_nothing(dataset, tokenizer, num_calls):
    first = TASK.load_split(dataset, "train", tokenizer, 8)
    calls = num_calls()
    (folder,) = folders()
    changed_at = folder.stat().st_mtime_ns
    second = TASK.load_split(dataset, "train", tokenizer, 8)
    assert calls > 0 and num_calls() == calls
    assert folders() == [folder] and folder.stat().st_mtime_ns == changed_at
    assert first.to_dict() == second.to_dict()


def test_equal_rows_elsewhere_use_the_same_tokens(dataset, tokenizer, tmp_path, num_calls):
    TASK.load_split(dataset, "train", tokenizer, 8)
    calls = num_calls()
    TASK.load_split(make_dataset(tmp_path / "copy"), "validation", tokenizer, 8)
    assert num_calls() == calls


def test_other_data_length_or_tokenizer_are_tokenized_anew(dataset, tokenizer, tmp_path):
    TASK.load_split(dataset, "train", tokenizer, 8)
    TASK.load_split(dataset, "train", tokenizer, 9)
    TASK.load_split(make_dataset(tmp_path / "other", texts=["bad"] * 5), "train", tokenizer, 8)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    assert "token_type_ids" not in TASK.load_split(dataset, "train", tokenizer, 8).column_names
    assert len(folders()) == 4


def test_other_options_are_tokenized_anew(dataset, tokenizer, num_calls):
    TASK.load_split(dataset, "train", tokenizer, 8)
    calls = num_calls()
    get_task("text_classification", {"problem_type": "single_label_classification"}).load_split(
        dataset, "train", tokenizer, 8
    )
    assert num_calls() > calls and len(folders()) == 2


def test_the_rows_before_tokenization(dataset):
    examples = read_examples(dataset, "validation")
    assert examples["text"][:2] == ["a good film", "the bad plot"] and examples["label"][:] == [1, 0, 1, 0, 1]


class Windows(TextClassification):
    """As many tokenized rows of each row as its text has words, and which row they are of; as question answering."""

    cuts_rows = False

    def tokenize(self, rows, numbers, tokenizer, max_seq_length):
        words = [(number, word) for number, text in zip(numbers, rows["text"], strict=True) for word in text.split()]
        return {**tokenizer([word for _, word in words]), "row": [number for number, _ in words]}


class WithoutShort(TextClassification):
    """Texts of one word give no rows, and the last column has values in some rows only."""

    def tokenize(self, rows, numbers, tokenizer, max_seq_length):
        texts = [text for text in rows["text"] if " " in text]
        ids = tokenizer(texts)["input_ids"] if texts else []
        return {"input_ids": ids, "marks": [[1.5] if "film" in text else [] for text in texts]}


@pytest.mark.parametrize("num_processes", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_a_row_may_become_several_that_know_its_number(dataset, tokenizer, monkeypatch, num_processes):
    monkeypatch.setattr(sparse_core.tasks.data, "_num_processes", lambda num_rows: num_processes)
    rows = Windows().load_split(dataset, "train", tokenizer, 8)
    assert rows["row"][:] == [0] * 3 + [1] * 3 + [2] * 3 + [3] + [4] * 6
    assert rows["length"][:] == [3] * 12 + [4] + [3] * 3  # "badly" is two tokens


def test_types_are_found_where_the_first_rows_do_not_tell_them(tmp_path, tokenizer, monkeypatch):
    monkeypatch.setattr(sparse_core.tasks.data, "_ROWS_PER_BATCH", 2)
    texts = ["bad", "good", "bad plot", "good", "a film", "bad"]
    rows = WithoutShort().load_split(make_dataset(tmp_path / "d", texts, [0] * 6), "train", tokenizer, 8)
    assert rows["marks"][:] == [[], [1.5]]
    assert rows.features["marks"].feature.dtype == "float32"


@pytest.mark.parametrize("texts", [["bad", "good"], []])
def test_no_rows_at_all(tmp_path, tokenizer, texts):
    dataset = make_dataset(tmp_path / "d", texts, [0] * len(texts))
    for _ in range(2):  # made, and from the cache
        with pytest.raises(DataError) as caught:
            WithoutShort().load_split(dataset, "train", tokenizer, 8)
        assert caught.value.setting == "dataset"


def test_a_folder_that_was_never_finished_is_not_read(dataset, tokenizer, monkeypatch):
    real_map = datasets.Dataset.map

    def map_then_stop(self, *arguments, **options):
        real_map(self, *arguments, **options)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(datasets.Dataset, "map", map_then_stop)
        with pytest.raises(KeyboardInterrupt):
            TASK.load_split(dataset, "train", tokenizer, 8)
    assert folders() == []
    assert len(TASK.load_split(dataset, "train", tokenizer, 8)) == 5


def load_and_hang(dataset, tokenizer):
    """Tokenizes up to the last batch and then waits to be killed."""
    tokenize = TextClassification.tokenize

    def hang_at_the_end(self, rows, *arguments):
        if rows["text"][-1] == "last":
            time.sleep(60)
        return tokenize(self, rows, *arguments)

    TextClassification.tokenize = hang_at_the_end
    TASK.load_split(dataset, "train", tokenizer, 8)


def test_a_killed_writer_leaves_nothing_that_is_taken_for_whole(tmp_path, tokenizer):
    dataset = make_dataset(tmp_path / "large", texts=["a good film"] * 2999 + ["last"], labels=[0, 1] * 1500)
    writer = multiprocessing.get_context("fork").Process(target=load_and_hang, args=(dataset, tokenizer))
    writer.start()
    while not list((cache_root() / "tokens").glob(".*.partial/*")):
        assert writer.is_alive()
        time.sleep(0.01)
    writer.kill()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL
    assert [folder.name[-8:] for folder in folders()] == [".partial"]
    rows = TASK.load_split(dataset, "train", tokenizer, 8)
    assert len(rows) == 3000 and set(rows["length"][:]) == {3, 5}


@pytest.mark.slow
def test_several_processes_give_the_same_rows(dataset, tokenizer, monkeypatch, tmp_path):
    alone = TASK.load_split(dataset, "train", tokenizer, 8).to_dict()
    monkeypatch.setattr(sparse_core.tasks.data, "_num_processes", lambda num_rows: 2)
    monkeypatch.setenv("SPARSE_CORE_CACHE", str(tmp_path / "other_cache"))
    assert TASK.load_split(dataset, "train", tokenizer, 8).to_dict() == alone
    (folder,) = folders()
    assert len(list(folder.iterdir())) == 2


def test_small_data_is_tokenized_in_this_process(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    counts = [sparse_core.tasks.data._num_processes(n) for n in (1, 49_999, 99_999, 100_000, 10_000_000)]
    assert counts == [None, None, None, 2, 8]


def test_progress_bars_of_others_are_left_as_they_were(dataset, tokenizer, capfd):
    before = datasets.are_progress_bars_disabled()
    TASK.load_split(dataset, "train", tokenizer, 8)
    assert datasets.are_progress_bars_disabled() == before
    assert capfd.readouterr().err == ""


def test_a_large_share_of_cut_rows_is_said(dataset, tokenizer, caplog):
    with caplog.at_level(logging.WARNING):
        TASK.load_split(dataset, "train", tokenizer, 5)
    assert [record.getMessage() for record in caplog.records] == [
        "max_seq_length: 80% of the train rows fill or exceed 5 tokens; what is beyond is cut off"
    ]
    caplog.clear()
    TASK.load_split(dataset, "train", tokenizer, 16)
    assert caplog.records == []


def test_rows_that_are_split_and_not_cut_are_no_reason_to_warn(dataset, tokenizer, caplog):
    with caplog.at_level(logging.WARNING):
        Windows().load_split(dataset, "train", tokenizer, 3)
    assert caplog.records == []


def test_a_length_beyond_the_model(dataset, tokenizer):
    with pytest.raises(ConfigError) as caught:
        TASK.load_split(dataset, "train", tokenizer, 17)
    assert caught.value.setting == "max_seq_length"


def test_a_length_without_room_for_text(dataset, tokenizer):
    with pytest.raises(ConfigError) as caught:
        TASK.load_split(dataset, "train", tokenizer, 2)
    assert caught.value.setting == "max_seq_length"


def test_a_split_that_the_data_does_not_have(dataset, tokenizer):
    with pytest.raises(DataError) as caught:
        TASK.load_split(dataset, "test", tokenizer, 8)
    assert caught.value.setting == "dataset"
