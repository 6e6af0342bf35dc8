"""The rows that validation_ratio keeps for validation."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass

import pytest

from sparse_core.errors import DataError
from sparse_core.sources.data.rows import Row
from sparse_core.sources.data.share import cut


@dataclass
class Numbers:
    """A source of `num_rows` rows, each with its index; the label is the half that the row is in."""

    num_rows: int
    setting = "train_file"
    name = "train.csv"
    size_bytes = 1000

    def rows(self):
        for index in range(self.num_rows):
            yield Row(index + 1, index + 2, {"n": index, "label": 2 * index // self.num_rows})

    def label_names(self, column):
        return [column]

    def error(self, problem, row=None, *, accepted="", fix=""):
        return (problem, fix)


def indices(source):
    return [row.values["n"] for row in source.rows()]


@pytest.mark.parametrize("ratio", [0.01, 0.05, 0.1, 0.15, 0.3, 0.5, 0.75, 0.95])
def test_the_two_parts_are_all_rows(ratio):
    train, validation = cut(Numbers(2000), ratio)
    assert sorted(indices(train) + indices(validation)) == list(range(2000))
    assert indices(train) == sorted(indices(train))
    assert len(indices(validation)) == pytest.approx(2000 * ratio, abs=1)


def test_the_cut_is_the_same_each_time():
    assert indices(cut(Numbers(500), 0.1)[1]) == indices(cut(Numbers(500), 0.1)[1])
    assert indices(cut(Numbers(1000), 0.1)[1])[:50] == indices(cut(Numbers(500), 0.1)[1])


def test_the_drawn_rows_are_not_evenly_spaced():
    drawn = indices(cut(Numbers(1000), 0.1)[1])
    assert len({second - first for first, second in itertools.pairwise(drawn)}) > 5


def test_rows_that_are_sorted_by_label_are_drawn_from_each():
    _, validation = cut(Numbers(1000), 0.1)
    assert Counter(row.values["label"] for row in validation.rows()) == {0: 50, 1: 50}


def test_rows_keep_their_places():
    train, validation = cut(Numbers(20), 0.1)
    for row in itertools.chain(train.rows(), validation.rows()):
        assert (row.number, row.line) == (row.values["n"] + 1, row.values["n"] + 2)


def test_the_rest_is_the_sources():
    train, validation = cut(Numbers(20), 0.25)
    assert (train.setting, validation.name, train.label_names("x")) == ("train_file", "train.csv", ["x"])
    assert (train.size_bytes, validation.size_bytes) == (750, 250)
    assert validation.error("a problem", fix="a fix") == ("a problem", "a fix")


def test_too_few_rows_for_the_ratio():
    train, validation = cut(Numbers(3), 0.05)
    assert len(indices(train)) == 3
    with pytest.raises(DataError) as caught:
        indices(validation)
    assert caught.value.setting == "validation_ratio"
    with pytest.raises(DataError, match="0.99 of the 1 rows of train.csv leaves none for training"):
        indices(cut(Numbers(1), 0.99)[0])
