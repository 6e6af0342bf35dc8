"""What the user named becomes splits, or one sentence that says what to name."""

from __future__ import annotations

import logging

import pytest

from sparse_core.errors import ConfigError, DataError, SparseCoreError
from sparse_core.sources.data import splits as splits_module
from sparse_core.sources.data.glue import NAMED_TASKS
from sparse_core.sources.data.splits import DataChoice, find_splits, with_named_task


@pytest.fixture
def files(tmp_path):
    """Settings that name files of 20, 2 and 1 rows."""
    for name, num_rows in (("train", 20), ("validation", 2), ("test", 1)):
        (tmp_path / f"{name}.csv").write_text(
            "text,label\n" + "".join(f"{name} {n},{n % 2}\n" for n in range(num_rows))
        )
    return {f"{name}_file": str(tmp_path / f"{name}.csv") for name in ("train", "validation", "test")}


def texts(source):
    return [row.values["text"] for row in source.rows()]


class Rows:
    """A split of a data set with one row, which is the split's name."""

    setting = "dataset_name"

    def __init__(self, name):
        self.name = name

    def rows(self):
        from sparse_core.sources.data.rows import Row

        yield Row(1, 0, {"text": self.name})


@pytest.fixture
def data_set(monkeypatch):
    """Lets every data set have the given splits, and notes what was asked for."""
    asked = []

    def offer(*names):
        def read(*arguments):
            asked.append(arguments)
            return {name: Rows(name) for name in names}

        monkeypatch.setattr(splits_module, "read_data_set", read)
        return asked

    return offer


def test_files_are_the_splits(files):
    splits = find_splits(DataChoice(**files))
    assert list(splits) == ["train", "validation", "test"]
    assert texts(splits["validation"]) == ["validation 0", "validation 1"]
    assert [source.setting for source in splits.values()] == ["train_file", "validation_file", "test_file"]


def test_validation_rows_are_cut_from_those_of_a_file(files):
    splits = find_splits(DataChoice(train_file=files["train_file"], validation_ratio=0.1))
    assert list(splits) == ["train", "validation"]
    assert (len(texts(splits["train"])), len(texts(splits["validation"]))) == (18, 2)


def test_the_test_split_may_stand_for_validation(files, data_set):
    splits = find_splits(DataChoice(train_file=files["train_file"], test_file=files["test_file"], eval_on_test=True))
    assert texts(splits["validation"]) == texts(splits["test"]) == ["test 0"]
    data_set("train", "test")
    assert texts(find_splits(DataChoice(dataset_name="imdb", eval_on_test=True))["validation"]) == ["test"]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train", "validation", "test"], {"train": "train", "validation": "validation", "test": "test"}),
        (["test", "dev", "train"], {"train": "train", "validation": "dev", "test": "test"}),
        (
            ["train", "validation_matched", "validation_mismatched", "test_matched", "test_mismatched"],
            {
                "train": "train",
                "validation": "validation_matched",
                "test": "test_matched",
                "validation_mismatched": "validation_mismatched",
                "test_mismatched": "test_mismatched",
            },
        ),
    ],
)
def test_splits_of_a_data_set(data_set, names, expected):
    asked = data_set(*names)
    splits = find_splits(DataChoice(dataset_name="owner/name", dataset_config_name="c", dataset_revision="r"))
    assert {split: source.name for split, source in splits.items()} == expected
    assert list(splits) == list(expected)
    assert asked == [("owner/name", "c", "r")]


def test_splits_that_are_not_used_are_named(data_set, caplog):
    data_set("train", "validation", "unsupervised", "extra")
    with caplog.at_level(logging.INFO):
        find_splits(DataChoice(dataset_name="imdb"))
    assert [record.message for record in caplog.records] == ["imdb: the splits unsupervised, extra are not used"]


def test_a_ratio_beside_a_validation_split_is_not_used(data_set, caplog, files):
    data_set("train", "validation")
    with caplog.at_level(logging.INFO):
        splits = find_splits(DataChoice(dataset_name="glue", validation_ratio=0.5, eval_on_test=True))
        find_splits(DataChoice(**files, validation_ratio=0.5))
    assert texts(splits["train"]) == ["train"]
    assert [record.message for record in caplog.records] == [
        "validation_ratio is not used, because there is validation data: validation",
        "eval_on_test is not used, because there is validation data: validation",
        f"validation_ratio is not used, because there is validation data: {files['validation_file']}",
    ]


@pytest.mark.parametrize(
    ("names", "choice", "expected"),
    [
        (
            ["validation", "test"],
            {},
            "dataset_name: mine has no split 'train', only validation, test; give a data set with",
        ),
        (
            ["train", "test"],
            {},
            "dataset_name: mine has no validation split, only train, test; set validation_ratio, such as 0.1 for a "
            "tenth of the training rows, or eval_on_test to measure on the test split",
        ),
        (["train"], {"eval_on_test": True}, "dataset_name: mine has no validation split, only train; set validation_r"),
    ],
)
def test_splits_that_a_data_set_lacks(data_set, names, choice, expected):
    data_set(*names)
    with pytest.raises(DataError) as caught:
        find_splits(DataChoice(dataset_name="mine", **choice))
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize(
    ("choice", "setting"),
    [
        ({}, "train_file"),
        ({"validation_file": "{dir}/validation.csv"}, "train_file"),
        ({"train_file": "{dir}/train.csv"}, "validation_file"),
        ({"train_file": "{dir}/train.csv", "dataset_name": "glue"}, "dataset_name"),
        ({"test_file": "{dir}/test.csv", "dataset_name": "glue"}, "dataset_name"),
        ({"train_file": "{dir}/train.csv", "dataset_config_name": "mrpc"}, "dataset_config_name"),
        ({"dataset_revision": "v1"}, "dataset_revision"),
        ({"dataset_name": "glue", "validation_ratio": 1.0}, "validation_ratio"),
        ({"dataset_name": "glue", "validation_ratio": -0.1}, "validation_ratio"),
        ({"dataset_name": "{dir}/none"}, "dataset_name"),
        ({"dataset_name": "{dir}/train.csv"}, "dataset_name"),
        ({"dataset_name": "{dir}", "dataset_revision": "v1"}, "dataset_revision"),
        ({"dataset_name": "s3://bucket/data"}, "dataset_name"),
        ({"train_file": "s3://bucket/a.csv"}, "train_file"),
        ({"train_file": "{dir}/none.csv"}, "train_file"),
        ({"train_file": "{dir}/train.csv", "validation_file": "{dir}/none.csv"}, "validation_file"),
    ],
)
def test_data_that_cannot_be_read_is_refused(files, tmp_path, choice, setting):
    choice = {name: value.format(dir=tmp_path) if isinstance(value, str) else value for name, value in choice.items()}
    with pytest.raises(SparseCoreError) as caught:
        find_splits(DataChoice(**choice))
    assert caught.value.setting == setting


def test_files_of_several_kinds(files, tmp_path):
    (tmp_path / "more.jsonl").write_text('{"text": "more", "label": 1}\n')
    splits = find_splits(DataChoice(**files | {"validation_file": str(tmp_path / "more.jsonl")}))
    assert texts(splits["validation"]) == ["more"]


def test_the_ratio_is_checked_first():
    with pytest.raises(ConfigError, match="^validation_ratio"):
        DataChoice(validation_ratio=2).require_usable()


def test_paths_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    choice = DataChoice(train_file="~/a.csv", test_file="s3://bucket/b.csv")
    assert list(map(str, choice.local_paths())) == ["/home/me/a.csv"]
    assert DataChoice(dataset_name=str(tmp_path)).local_paths() == [tmp_path]
    assert DataChoice(dataset_name="glue").local_paths() == []


@pytest.mark.parametrize("name", NAMED_TASKS)
def test_a_task_name_stands_for_its_data(name):
    choice, named = with_named_task(DataChoice(), "text_classification", name.upper())
    assert named is NAMED_TASKS[name]
    expected = ("stanfordnlp/imdb", "") if name == "imdb" else ("nyu-mll/glue", name)
    assert (choice.dataset_name, choice.dataset_config_name) == expected


@pytest.mark.parametrize("dataset_name", ["glue", "nyu-mll/glue"])
def test_glue_as_dataset_name_is_the_same_task(dataset_name):
    choice = DataChoice(dataset_name=dataset_name, dataset_config_name="mrpc")
    assert with_named_task(choice, "text_classification", "") == (choice, NAMED_TASKS["mrpc"])
    only_name = DataChoice(dataset_name=dataset_name)
    assert with_named_task(only_name, "text_classification", "mrpc") == (choice, NAMED_TASKS["mrpc"])
    assert with_named_task(only_name, "text_classification", "") == (only_name, None)


def test_a_task_name_beside_other_data_says_only_its_form(files, tmp_path):
    for choice in (DataChoice(**files), DataChoice(dataset_name="mine/sst2"), DataChoice(dataset_name=str(tmp_path))):
        assert with_named_task(choice, "text_classification", "sst2") == (choice, NAMED_TASKS["sst2"])


def test_other_data_sets_name_no_task(tmp_path, monkeypatch):
    (tmp_path / "glue").mkdir()
    monkeypatch.chdir(tmp_path)
    for choice in (
        DataChoice(dataset_name="rotten_tomatoes"),
        DataChoice(dataset_name="glue", dataset_config_name="rte"),
    ):
        assert with_named_task(choice, "text_classification", "") == (choice, None)


def test_in_token_classification_a_task_name_is_a_column():
    assert with_named_task(DataChoice(dataset_name="conll2003"), "token_classification", "ner") == (
        DataChoice(dataset_name="conll2003"),
        None,
    )


@pytest.mark.parametrize(
    ("task", "task_name", "choice"),
    [
        ("text_classification", "sst-2", {}),
        ("question_answering", "squad", {}),
        ("text_classification", "mrpc", {"dataset_name": "glue", "dataset_config_name": "rte"}),
    ],
)
def test_task_names_that_cannot_be_used_are_refused(task, task_name, choice):
    with pytest.raises(DataError) as caught:
        with_named_task(DataChoice(**choice), task, task_name)
    assert caught.value.setting == "task_name"
    if task_name == "sst-2":
        assert "did you mean 'sst2'?; " in caught.value.fix
