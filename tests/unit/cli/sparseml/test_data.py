from __future__ import annotations

import json
import logging

import datasets
import pytest

from sparse_core.cli.sparseml.data import dataset_directory, settings_of, task_args
from sparse_core.errors import ConfigError, DataError
from sparse_core.tasks import read_examples, read_schema, task_commands

COMMANDS = task_commands()


@pytest.fixture
def fetch():
    def make(task="text_classification", *, trains=True, evaluates=True, **flags):
        command = COMMANDS[task]
        return dataset_directory(command, command.data(**flags), trains=trains, evaluates=evaluates)

    return make


@pytest.fixture
def named(files):
    return {"train_file": str(files / "train.csv"), "validation_file": str(files / "validation.csv")}


def test_the_next_command_takes_what_the_first_one_left(fetch, named, caplog, monkeypatch):
    caplog.set_level(logging.INFO, "sparse_core")
    first = fetch(**named, max_train_samples=5)
    inode = (first / "train.arrow").stat().st_ino
    caplog.clear()
    assert fetch(**named, max_train_samples=5) == first
    assert f"data: read from the cache, {first}" in caplog.text
    assert (first / "train.arrow").stat().st_ino == inode
    assert fetch(**named, max_train_samples=5, overwrite_cache=True) == first
    assert read_schema(first).num_rows == {"train": 5, "validation": 8}
    assert not [path.name for path in first.parent.iterdir() if path.name.startswith(".")]


def test_other_contents_and_other_settings_are_other_data(fetch, named, tmp_path):
    (tmp_path / "train.csv").write_text("text,label\nfine,pos\nbad,neg\n")
    mine = {**named, "train_file": str(tmp_path / "train.csv")}
    first = fetch(**mine)
    assert first != fetch(**named) and first != fetch(**mine, max_eval_samples=2)
    (tmp_path / "train.csv").write_text("text,label\nfine,pos\nugly,neg\n")
    assert fetch(**mine) != first


def test_a_file_in_the_home_directory_is_known_by_its_contents(fetch, named, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    mine = {**named, "train_file": "~/train.csv"}
    (tmp_path / "train.csv").write_text("text,label\nfine,pos\nbad,neg\n")
    assert read_examples(fetch(**mine), "train")["text"][:] == ["fine", "bad"]
    (tmp_path / "train.csv").write_text("text,label\nfine,pos\nugly,neg\n")
    assert read_examples(fetch(**mine), "train")["text"][:] == ["fine", "ugly"]


def test_a_saved_data_set_is_known_by_its_contents(fetch, tmp_path):
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": ["x", "y"]})
    for name in ("one", "two"):
        datasets.DatasetDict(train=rows, validation=rows).save_to_disk(str(tmp_path / name))
    first = fetch(dataset_name=str(tmp_path / "one"))
    assert read_schema(first).label_names == ["x", "y"]
    datasets.DatasetDict(train=rows.select([1, 0]), validation=rows).save_to_disk(str(tmp_path / "three"))
    assert fetch(dataset_name=str(tmp_path / "three")) != first


def test_flags_become_settings():
    command = COMMANDS["text_classification"]
    data = command.data(input_column_names="a,b", label_column_name="c", validation_ratio=0.2, eval_on_test=True)
    settings = settings_of(command, data)
    assert settings["text_column"] == "a,b" and settings["label_column"] == "c"
    assert settings["validation_ratio"] == 0.2 and settings["eval_on_test"] is True
    assert "train_file" not in settings and "max_train_samples" not in settings
    command = COMMANDS["masked_language_modeling"]
    assert settings_of(command, command.data())["validation_ratio"] == 0.05
    assert "validation_ratio" not in settings_of(command, command.data(validation_file="v.txt"))


def test_options_of_the_task_come_from_flags_and_from_task_args():
    command = COMMANDS["question_answering"]
    options = task_args(command, command.data(doc_stride=7, task_args='{"n_best_size": 3, "doc_stride": 9}'))
    assert (options["doc_stride"], options["n_best_size"], options["max_answer_length"]) == (9, 3, 30)


def test_rows_that_a_command_does_not_read_need_no_file(fetch, files):
    questions = str(files / "qa.json")
    only = fetch("question_answering", validation_file=questions, trains=False)
    assert read_schema(only).num_rows == {"train": 6, "validation": 6}
    trained = fetch(train_file=str(files / "train.csv"), evaluates=False)
    assert read_schema(trained).num_rows["train"] == 16
    with pytest.raises(ConfigError) as caught:
        fetch(validation_file=str(files / "validation.csv"), trains=False)  # the labels would be unknown
    assert caught.value.setting == "train_file"
    with pytest.raises(DataError) as caught:
        fetch(train_file=str(files / "train.csv"))
    assert caught.value.setting == "validation_file"


def test_a_share_of_the_texts_is_for_evaluation(fetch, files):
    schema = read_schema(
        fetch("masked_language_modeling", train_file=str(files / "texts.txt"), validation_split_percentage=25)
    )
    assert schema.num_rows == {"train": 6, "validation": 2}


def test_two_data_sets_are_joined(fetch, tmp_path):
    for name, texts in (("one", ["a", "b", "c"]), ("two", ["d", "e"])):
        rows = datasets.Dataset.from_dict({"text": texts})
        datasets.DatasetDict(train=rows, validation=rows.select([0])).save_to_disk(str(tmp_path / name))
    flags = {"dataset_name": str(tmp_path / "one"), "dataset_name_2": str(tmp_path / "two")}
    folder = fetch("masked_language_modeling", **flags)
    assert read_schema(folder).num_rows == {"train": 5, "validation": 2}
    assert read_examples(folder, "train")["text"][:] == ["a", "b", "c", "d", "e"]
    assert read_examples(folder, "validation")["text"][:] == ["a", "d"]
    assert fetch("masked_language_modeling", **flags) == folder
    assert json.loads((folder / "manifest.json").read_text())["step"] == "fetch_dataset"


def test_limits_count_the_rows_of_both_data_sets(fetch, tmp_path):
    for name, texts in (("one", ["a", "b", "c"]), ("two", ["d", "e"])):
        rows = datasets.Dataset.from_dict({"text": texts})
        datasets.DatasetDict(train=rows, validation=rows).save_to_disk(str(tmp_path / name))
    flags = {"dataset_name": str(tmp_path / "one"), "dataset_name_2": str(tmp_path / "two")}
    for limit, expected in ((4, ["a", "b", "c", "d"]), (2, ["a", "b"]), (9, ["a", "b", "c", "d", "e"])):
        folder = fetch("masked_language_modeling", **flags, max_train_samples=limit, max_eval_samples=1)
        assert read_schema(folder).num_rows == {"train": len(expected), "validation": 1}
        assert read_examples(folder, "train")["text"][:] == expected
        assert read_examples(folder, "validation")["text"][:] == ["a"]


def test_mistakes_name_flags_that_the_command_has(fetch, files, tmp_path):
    questions, words = str(files / "qa.json"), str(files / "words.jsonl")
    with pytest.raises(DataError) as caught:
        fetch("question_answering", train_file=words, validation_file=words)
    assert caught.value.setting == "text_column_name"
    with pytest.raises(DataError) as caught:
        fetch("question_answering", train_file=questions, validation_file=questions, label_column_name="right")
    assert caught.value.setting == "label_column_name"
    for task, file in (("question_answering", questions), ("token_classification", words)):
        with pytest.raises(DataError) as caught:
            fetch(task, train_file=file)
        assert caught.value.setting == "validation_file"
        assert read_schema(fetch(task, train_file=file, validation_ratio=0.5)).num_rows["validation"] >= 3
    with pytest.raises(DataError) as caught:
        (tmp_path / "two.csv").write_text("a,b\nx,y\n")
        fetch("masked_language_modeling", train_file=str(tmp_path / "two.csv"))
    assert caught.value.setting == "text_column_name"
    (tmp_path / "none.jsonl").write_text('{"question": "a", "context": "b", "answers": []}\n')
    with pytest.raises(DataError) as caught:
        fetch("question_answering", train_file=str(tmp_path / "none.jsonl"), validation_file=questions)
    assert caught.value.setting == "train_file"
    (tmp_path / "half.csv").write_text("sentence1,sentence2,label\na,b,0.5\n")
    with pytest.raises(DataError) as caught:
        fetch(train_file=str(tmp_path / "half.csv"), validation_file=str(tmp_path / "half.csv"), task_name="mrpc")
    assert caught.value.setting == "train_file"


def test_the_second_data_set_is_named_by_its_own_flag(fetch, tmp_path):
    rows = datasets.Dataset.from_dict({"text": ["a", "b"]})
    datasets.DatasetDict(train=rows, validation=rows).save_to_disk(str(tmp_path / "one"))
    with pytest.raises(DataError) as caught:
        fetch("masked_language_modeling", dataset_name=str(tmp_path / "one"), dataset_name_2="./nothere")
    assert caught.value.setting == "dataset_name_2"


def test_no_data():
    command = COMMANDS["token_classification"]
    with pytest.raises(ConfigError) as caught:
        dataset_directory(command, command.data(), trains=True, evaluates=True)
    assert caught.value.setting == "dataset_name"
