"""Labels get the indices that their order gives, and only those of the training data exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparse_core.errors import DataError, Place, Setting
from sparse_core.sources.data import labels as labels_module
from sparse_core.sources.data.data_file import DataFile
from sparse_core.sources.data.labels import Labels
from sparse_core.sources.data.rows import Row

TRAIN = DataFile("train_file", Path("train.csv"))
VALIDATION = DataFile("validation_file", Path("validation.csv"))
ROW = Row(7, 9, {})


def filled(*values):
    labels = Labels("label")
    for number, value in enumerate(values, start=1):
        labels.index_of(value, TRAIN, Row(number, number + 1, {}))
    return labels


def test_an_open_set_counts_up():
    labels = Labels("label")
    assert [labels.index_of(value, TRAIN, ROW) for value in ("b", "a", "b", "c")] == [0, 1, 0, 2]
    assert labels.names == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["10", "9", "-1"], ["-1", "9", "10"]),
        ([10, 9, -1], ["-1", "9", "10"]),
        (["pos", "neg"], ["neg", "pos"]),
        (["10", "9", "x"], ["10", "9", "x"]),
        ([1, "1", " 1 ", 0], ["0", "1"]),
        ([True, False], ["false", "true"]),
        (["v1.0", "1.5"], ["1.5", "v1.0"]),
    ],
)
def test_closing_sorts_integers_by_value_and_others_as_text(values, names):
    labels = filled(*values)
    labels.close(TRAIN)
    assert labels.names == names


def test_whole_numbers_are_classes_where_the_user_says_so():
    labels = Labels("label", reads_whole_numbers=True)
    values = [1.0, "0.0", 1, " 2e0 ", "10.", "9007199254740993", -0.0]
    assert [labels.index_of(value, TRAIN, ROW) for value in values] == [0, 1, 0, 2, 3, 4, 1]
    labels.close(TRAIN)
    assert labels.names == ["0", "1", "2", "10", "9007199254740993"]
    with pytest.raises(DataError, match=r"label 0\.5 in column 'label' is a number with a decimal point"):
        labels.index_of(0.5, TRAIN, ROW)


def test_closing_tells_the_new_index_of_each_old_one():
    labels = filled("b", "c", "a")
    assert labels.close(TRAIN) == [1, 2, 0]
    assert labels.index_of("c", VALIDATION, ROW) == 2


def test_a_label_that_is_not_in_train_is_refused_with_the_nearest_one():
    labels = filled("neg", "pos")
    labels.close(TRAIN)
    with pytest.raises(DataError) as caught:
        labels.index_of("pso", VALIDATION, ROW)
    error = caught.value
    assert (error.setting, error.place) == ("validation_file", Place("validation.csv", 9))
    assert error.problem[0] == "row 7: "
    assert "'neg', 'pos'" in error.problem[1] and "did you mean 'pos'?" in error.fix


def test_of_many_labels_the_first_are_listed():
    labels = filled(*range(12))
    labels.close(TRAIN)
    with pytest.raises(DataError, match=r"label '12' .* which has '0', .*'9', \.\.\."):
        labels.index_of(12, VALIDATION, ROW)


@pytest.mark.parametrize(("values", "line"), [(["1", "1"], None), (["1", "0.5", "2e-1"], 3), (["1", "0", ".5"], 4)])
def test_labels_that_are_no_classes_are_refused(values, line):
    with pytest.raises(DataError) as caught:
        filled(*values).close(TRAIN)
    assert (caught.value.setting, caught.value.place) == ("train_file", Place("train.csv", line))


@pytest.mark.parametrize("value", [0.5, 1.0, [1, 2], "[1, 2]", {"a": 1}])
def test_values_that_are_no_label_are_refused_at_their_line(value):
    with pytest.raises(DataError) as caught:
        filled(value)
    assert (caught.value.setting, caught.value.place.line) == ("train_file", 2)
    if not isinstance(value, dict):
        assert Setting("task_args.problem_type") in caught.value.fix


def test_a_column_with_too_many_values_is_refused(monkeypatch):
    monkeypatch.setattr(labels_module, "_MAX_LABELS", 3)
    with pytest.raises(DataError) as caught:
        filled(*"abcabd", "e")
    assert caught.value.place.line == 7
    assert Setting("label_column") in caught.value.fix


def test_at_the_limit_known_labels_still_count(monkeypatch):
    monkeypatch.setattr(labels_module, "_MAX_LABELS", 3)
    assert filled(*"abcabc").names == ["a", "b", "c"]


DECLARED = ("sadness", "joy", "anger")


def test_declared_names_keep_their_order_and_are_in_force_at_once():
    labels = Labels("label", DECLARED)
    assert labels.names == list(DECLARED)
    assert [labels.index_of(name, VALIDATION, ROW) for name in ("anger", " sadness ")] == [2, 0]
    assert labels.close(TRAIN) == [0, 1, 2] and labels.names == list(DECLARED)


def test_a_name_that_is_not_declared_is_refused():
    with pytest.raises(DataError, match="'sadness', 'joy', 'anger'") as caught:
        Labels("label", DECLARED).index_of("angr", TRAIN, ROW)
    assert caught.value.setting == "train_file"
    assert "did you mean 'anger'?" in caught.value.fix


def test_declared_names_may_be_numbers():
    labels = Labels("stars", ["1.5", "0.5"])
    assert labels.close(TRAIN) == [0, 1] and labels.index_of("0.5", TRAIN, ROW) == 1


def test_too_few_declared_names():
    with pytest.raises(DataError, match=r"all rows have the label 'only' in column 'label'"):
        Labels("label", ["only"]).close(TRAIN)
    assert Labels("label", ["only"], min_labels=1).close(TRAIN) == [0]
