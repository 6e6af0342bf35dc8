"""Batches: what is padded, with what and on which side, and what is left out."""

from __future__ import annotations

import pickle

import pytest
import torch

from sparse_core.tasks import load_tokenizer
from sparse_core.tasks.collate import PaddingCollator

SHORT = {"input_ids": [2, 3], "attention_mask": [1, 1], "token_type_ids": [0, 1]}
LONG = {"input_ids": [2, 5, 7, 3], "attention_mask": [1, 1, 1, 1], "token_type_ids": [0, 0, 1, 1]}


@pytest.fixture
def tokenizer(encoder):
    return load_tokenizer(encoder)


def rows(**columns):
    """The short row and the long one, with a value of each column."""
    return [{**row, **{name: values[i] for name, values in columns.items()}} for i, row in enumerate((SHORT, LONG))]


def test_inputs_are_padded_to_the_longest_row_and_other_columns_dropped(tokenizer):
    batch = PaddingCollator(tokenizer)(rows(length=[2, 4], text=["a", "b"], labels=[0, 1]))
    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[2, 3, 0, 0], [2, 5, 7, 3]],
        "attention_mask": [[1, 1, 0, 0], [1, 1, 1, 1]],
        "token_type_ids": [[0, 1, 0, 0], [0, 0, 1, 1]],
    }
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_the_tokenizer_says_what_padding_is_and_which_inputs_there_are(tokenizer):
    tokenizer.pad_token, tokenizer.padding_side = "[MASK]", "left"
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    batch = PaddingCollator(tokenizer, per_token={"labels": -100})(rows(labels=[[1, 2], [3, 4, 5, 6]]))
    assert "token_type_ids" not in batch
    assert batch["input_ids"][0].tolist() == [4, 4, 2, 3] and batch["attention_mask"][0].tolist() == [0, 0, 1, 1]
    assert batch["labels"][0].tolist() == [-100, -100, 1, 2]


def test_a_fixed_length(tokenizer):
    batch = PaddingCollator(tokenizer, per_token={"labels": -100}, pad_to=6)(rows(labels=[[1, 2], [3, 4, 5, 6]]))
    assert batch["input_ids"].shape == batch["labels"].shape == (2, 6)
    assert batch["labels"].tolist() == [[1, 2, -100, -100, -100, -100], [3, 4, 5, 6, -100, -100]]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([0, 1], torch.int64), ([0.5, 1.0], torch.float32), ([[0.0, 1.0], [1.0, 1.0]], torch.float32)],
)
def test_labels_of_a_row_keep_the_kind_of_number(tokenizer, values, dtype):
    batch = PaddingCollator(tokenizer, per_row=("labels", "start_positions"))(rows(labels=values))
    assert batch["labels"].tolist() == values and batch["labels"].dtype == dtype
    assert "start_positions" not in batch


def test_columns_without_a_name_are_dropped(tokenizer):
    assert "offsets" not in PaddingCollator(tokenizer, per_row=("labels",))(rows(offsets=[[1], [2, 3]]))


def test_it_can_go_to_a_worker_process(tokenizer):
    collate = pickle.loads(pickle.dumps(PaddingCollator(tokenizer, per_row=("labels",))))
    assert collate(rows(labels=[0, 1]))["labels"].tolist() == [0, 1]
