"""The Dataset artifact: whole, the same for the same files, and refused where a row cannot be used."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
from collections import namedtuple
from contextlib import nullcontext
from pathlib import Path

import pyarrow as pa
import pytest

from sparse_core.errors import ConfigError, DataError, OutputError, SparseCoreError
from sparse_core.steps.fetch_dataset import fetch_dataset
from sparse_core.store import identity, read_manifest
from sparse_core.tasks import read_schema

TRAIN = [("a fine film", "pos"), ("a dull film", "neg"), ("great, really", "pos")]
VALIDATION = [("bad", "neg"), ("good", "pos")]
TEST = [("awful", "neg")]


@pytest.fixture
def files(tmp_path):
    """Settings that name a CSV, a JSON lines and a JSON file."""
    records = {
        split: [{"sentence": text, "label": label} for text, label in rows]
        for split, rows in (("validation", VALIDATION), ("test", TEST))
    }
    (tmp_path / "train.csv").write_text("sentence,label\n" + "".join(f'"{text}",{label}\n' for text, label in TRAIN))
    (tmp_path / "validation.jsonl").write_text("\n".join(map(json.dumps, records["validation"])))
    (tmp_path / "test.json").write_text(json.dumps(records["test"]))
    names = {"train": "train.csv", "validation": "validation.jsonl", "test": "test.json"}
    return {f"{split}_file": str(tmp_path / name) for split, name in names.items()}


def rows(dataset, split):
    with pa.OSFile(str(dataset / f"{split}.arrow"), "rb") as source, pa.ipc.open_stream(source) as reader:
        return list(map(tuple, (row.values() for row in reader.read_all().to_pylist())))


def test_three_kinds_of_files_become_one_data_set(files, tmp_path):
    output = tmp_path / "dataset"
    facts = fetch_dataset(output, **files)
    assert facts == {"num_train_rows": 3, "num_validation_rows": 2, "num_test_rows": 1, "num_labels": 2}
    assert rows(output, "train") == [("a fine film", 1), ("a dull film", 0), ("great, really", 1)]
    assert rows(output, "validation") == [("bad", 0), ("good", 1)]
    assert rows(output, "test") == [("awful", 0)]
    schema = read_schema(output)
    assert (schema.task, schema.source_columns) == ("text_classification", {"text": "sentence", "label": "label"})
    assert (schema.label_names, schema.num_rows) == (["neg", "pos"], {"train": 3, "validation": 2, "test": 1})
    assert schema.task_args["problem_type"] == "single_label_classification"
    assert schema.task_args["threshold"] == 0.3
    manifest = read_manifest(output)
    assert (manifest["step"], manifest["settings"]["test_file"]) == ("fetch_dataset", files["test_file"])
    assert list(manifest["files"]) == ["dataset.json", "test.arrow", "train.arrow", "validation.arrow"]


def test_a_test_split_may_be_missing(files, tmp_path):
    facts = fetch_dataset(tmp_path / "dataset", **files | {"test_file": ""})
    assert facts["num_test_rows"] == 0
    assert not (tmp_path / "dataset" / "test.arrow").exists()
    assert read_schema(tmp_path / "dataset").num_rows == {"train": 3, "validation": 2}


@pytest.mark.parametrize(
    ("content", "level"),
    [
        ("sentence\nawful\nfine\nso so\n", logging.WARNING),
        ("sentence,labels\nawful,neg\nfine,pos\nso so,pos\n", logging.WARNING),
        ("sentence,label\nawful,\nfine, \nso so,\n", logging.INFO),
    ],
)
def test_test_rows_without_labels_are_a_split_of_their_own(files, tmp_path, caplog, content, level):
    path = tmp_path / "unlabelled.csv"
    path.write_text(content)
    with caplog.at_level(logging.INFO):
        facts = fetch_dataset(tmp_path / "dataset", **files | {"test_file": str(path)}, max_predict_samples=2)
    assert facts == {
        "num_train_rows": 3,
        "num_validation_rows": 2,
        "num_test_rows": 0,
        "num_unlabelled_test_rows": 2,
        "num_labels": 2,
    }
    assert rows(tmp_path / "dataset", "unlabelled_test") == [("awful",), ("fine",)]
    assert not (tmp_path / "dataset" / "test.arrow").exists()
    schema = read_schema(tmp_path / "dataset")
    assert schema.num_rows == {"train": 3, "validation": 2, "unlabelled_test": 2}
    (record,) = (record for record in caplog.records if "unlabelled_test" in record.message)
    assert record.message.startswith(f"{path}: ")
    assert ("'labels'" in record.message) == ("labels" in content)
    assert record.levelno == level


def test_texts_to_predict_are_checked_too(files, tmp_path):
    path = tmp_path / "unlabelled.csv"
    settings = files | {"test_file": str(path)}
    path.write_text("sentence,n\nawful,1\n ,2\n")
    with pytest.raises(DataError) as caught:
        fetch_dataset(tmp_path / "dataset", **settings)
    assert caught.value.setting == "test_file"
    path.write_text("text\nawful\n")
    with pytest.raises(DataError, match=r"^text_column: .*\(test_file\) has no column 'sentence'"):
        fetch_dataset(tmp_path / "dataset", **settings)


def test_test_rows_of_which_some_lack_labels_are_refused(files, tmp_path):
    path = tmp_path / "some.csv"
    path.write_text("sentence,label\nawful,\nfine,pos\nso so,\n")
    with pytest.raises(DataError) as caught:
        fetch_dataset(tmp_path / "dataset", **files | {"test_file": str(path)})
    assert caught.value.setting == "test_file"


@pytest.mark.parametrize(("task_name", "label"), [("sst2", -1), ("stsb", -1.0), ("rte", "-1")])
def test_a_file_of_glues_test_rows_has_no_labels(tmp_path, task_name, label):
    columns = {"sst2": ["sentence"], "stsb": ["sentence1", "sentence2"], "rte": ["sentence1", "sentence2"]}[task_name]
    for split, labels in (("train", [0, 1]), ("test", [label])):
        records = [{**{column: f"{column} {n}" for column in columns}, "label": one} for n, one in enumerate(labels)]
        (tmp_path / f"{split}.json").write_text(json.dumps(records))
    train, test = str(tmp_path / "train.json"), str(tmp_path / "test.json")
    settings = {"train_file": train, "validation_file": train, "test_file": test}
    facts = fetch_dataset(tmp_path / "dataset", **settings, task_name=task_name)
    assert facts["num_unlabelled_test_rows"] == 1
    assert rows(tmp_path / "dataset", "unlabelled_test") == [tuple(f"{column} 0" for column in columns)]


def test_questions_without_answers(tmp_path):
    question = {"id": "7", "question": "?", "context": "a b c"}
    answered = {**question, "answers": {"text": ["b"], "answer_start": [2]}}
    article = {"paragraphs": [{"context": "a b c", "qas": [{"id": "8", "question": "!"}]}]}
    for name, content in (
        ("train", {"data": [answered]}),
        ("flat", {"data": [question]}),
        ("squad", {"data": [article]}),
    ):
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    train = str(tmp_path / "train.json")
    for name, row in (("flat", ("7", "?", "a b c")), ("squad", ("8", "!", "a b c"))):
        settings = {"train_file": train, "validation_file": train, "test_file": str(tmp_path / f"{name}.json")}
        facts = fetch_dataset(tmp_path / f"{name}_data", **settings, task="question_answering")
        assert (facts["num_test_rows"], facts["num_unlabelled_test_rows"]) == (0, 1)
        assert rows(tmp_path / f"{name}_data", "unlabelled_test") == [row]


def test_texts_for_masked_language_modeling_need_no_labels(tmp_path):
    path = tmp_path / "texts.txt"
    path.write_text("a b\nc d\n")
    settings = {f"{split}_file": str(path) for split in ("train", "validation", "test")}
    facts = fetch_dataset(tmp_path / "dataset", **settings, task="masked_language_modeling")
    assert facts == {"num_train_rows": 2, "num_validation_rows": 2, "num_test_rows": 2, "num_labels": 0}


def test_the_same_files_give_the_same_artifact_from_anywhere(files, tmp_path):
    fetch_dataset(tmp_path / "first", **files)
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    for setting, name in files.items():
        files[setting] = str(Path(name).rename(moved / Path(name).name))
    fetch_dataset(tmp_path / "second", **files)
    assert identity(tmp_path / "first") == identity(tmp_path / "second")


def test_hugging_face_datasets_reads_the_splits(files, tmp_path):
    import datasets

    fetch_dataset(tmp_path / "dataset", **files)
    split = datasets.Dataset.from_file(str(tmp_path / "dataset" / "train.arrow"))
    assert split[:] == {"text": [text for text, _ in TRAIN], "label": [1, 0, 1]}


def test_the_files_must_be_those_that_were_submitted(files, tmp_path):
    content_hash = identity(*map(Path, files.values()))
    fetch_dataset(tmp_path / "same", **files, content_hash=content_hash)
    with Path(files["test_file"]).open("a") as stream:
        stream.write("\n")
    with pytest.raises(DataError) as caught:
        fetch_dataset(tmp_path / "other", **files, content_hash=content_hash)
    assert caught.value.setting == "content_hash"
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"train_file": "none.csv"}, "train_file"),
        ({"train_file": ""}, "train_file"),
        ({"dataset_name": "glue"}, "dataset_name"),
        ({"validation_file": "none.csv"}, "validation_file"),
        ({"validation_file": ""}, "validation_file"),
        ({"test_file": "none.csv"}, "test_file"),
        ({"max_train_samples": -1}, "max_train_samples"),
        ({"max_eval_samples": -2}, "max_eval_samples"),
        ({"max_predict_samples": -3}, "max_predict_samples"),
        ({"validation_ratio": 1.5}, "validation_ratio"),
        ({"task_args": "{"}, "task_args"),
        ({"task_args": "[1]"}, "task_args"),
        ({"task_args": '{"treshold": 0.5}'}, "task_args.treshold"),
        ({"task_name": "sst"}, "task_name"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(files, tmp_path, change, setting):
    with pytest.raises(SparseCoreError) as caught:
        fetch_dataset(tmp_path / "dataset", **files | change)
    assert caught.value.setting == setting
    assert not (tmp_path / "dataset").exists()


@pytest.mark.parametrize("change", [{"text_column": "sentense"}, {"label_column": "labels"}])
def test_a_column_that_does_not_exist_is_refused(files, tmp_path, change):
    with pytest.raises(SparseCoreError, match=f"{next(iter(change))}: .*did you mean"):
        fetch_dataset(tmp_path / "dataset", **files | change)


def test_an_unknown_task(files, tmp_path):
    with pytest.raises(ConfigError) as caught:
        fetch_dataset(tmp_path / "dataset", **files, task="text_classifikation")
    assert (caught.value.setting, caught.value.fix) == ("task", "did you mean 'text_classification'?")


@pytest.mark.parametrize("split", ["validation", "test"])
def test_a_label_that_training_never_shows(files, tmp_path, split):
    path = tmp_path / "late.csv"
    path.write_text('sentence,label\n"a\nb",pos\nc,neutral\n')
    with pytest.raises(DataError, match=rf"late\.csv, line 4: {split}_file: row 2: label 'neutral' is not in"):
        fetch_dataset(tmp_path / "dataset", **files | {f"{split}_file": str(path)})
    assert {path.name for path in tmp_path.iterdir()} == {"late.csv", "test.json", "train.csv", "validation.jsonl"}


def test_validation_needs_the_columns_of_train(files, tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("text,label\na,pos\n")
    with pytest.raises(DataError, match=r"^text_column: .*other\.csv \(validation_file\) has no column 'sentence'"):
        fetch_dataset(tmp_path / "dataset", **files | {"validation_file": str(path)})


def test_one_class_only(files, tmp_path):
    Path(files["train_file"]).write_text("sentence,label\na,pos\nb,pos\n")
    with pytest.raises(DataError) as caught:
        fetch_dataset(tmp_path / "dataset", **files)
    assert caught.value.setting == "train_file"


def test_an_output_in_use_keeps_what_it_has(files, tmp_path):
    with pytest.raises(OutputError) as caught:
        fetch_dataset(tmp_path, **files)
    assert caught.value.setting == "output"
    assert Path(files["train_file"]).exists()


def test_a_full_disk_is_found_before_the_rows_are_read(files, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 0))
    with pytest.raises(OutputError) as caught:
        fetch_dataset(tmp_path / "dataset", **files)
    assert caught.value.setting == "output"


def test_the_first_rows_of_each_split(files, tmp_path):
    Path(files["train_file"]).write_text("sentence,label\na,pos\nb,pos\nc,neg\n")
    facts = fetch_dataset(tmp_path / "dataset", **files, max_train_samples=1, max_eval_samples=1, max_predict_samples=5)
    assert facts == {"num_train_rows": 1, "num_validation_rows": 1, "num_test_rows": 1, "num_labels": 2}
    assert rows(tmp_path / "dataset", "train") == [("a", 1)]
    assert rows(tmp_path / "dataset", "validation") == [("bad", 0)]


def test_validation_rows_from_those_to_learn_from(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text,label\n" + "".join(f"text {n},{n % 2}\n" for n in range(200)))
    facts = fetch_dataset(tmp_path / "dataset", train_file=str(path), validation_ratio=0.1)
    assert facts == {"num_train_rows": 180, "num_validation_rows": 20, "num_test_rows": 0, "num_labels": 2}
    found = sorted(rows(tmp_path / "dataset", "train") + rows(tmp_path / "dataset", "validation"))
    assert found == sorted((f"text {n}", n % 2) for n in range(200))


def test_options_of_the_task_are_kept(files, tmp_path):
    fetch_dataset(tmp_path / "dataset", **files, task_args='{"threshold": 0.7}')
    assert read_schema(tmp_path / "dataset").task_args["threshold"] == 0.7


def test_a_tolerance_of_the_user_is_kept(tmp_path):
    (tmp_path / "rows.csv").write_text("text,label\na,0.5\nb,1.5\n")
    files = dict.fromkeys(("train_file", "validation_file"), str(tmp_path / "rows.csv"))
    for name, given, expected in (("own", 0.7, 0.7), ("zero", 0.0, 0.0), ("found", None, 0.025)):
        args = {"num_labels": 1} if given is None else {"agreement_tolerance": given}
        fetch_dataset(tmp_path / name, **files, task_args=json.dumps(args))
        assert read_schema(tmp_path / name).task_args["agreement_tolerance"] == pytest.approx(expected)


def test_an_option_that_the_data_does_not_fit_is_refused(tmp_path):
    for name, labels in (("names", "no yes"), ("numbers", "1 2"), ("scores", "0.5 1.5")):
        lines = [f"{text},{label}" for text, label in zip("ab", labels.split(), strict=True)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *lines]))
    for name, option, value, is_refused in (
        ("names", "num_labels", 7, True),
        ("scores", "num_labels", 2, True),
        ("names", "agreement_tolerance", 0.7, True),
        ("names", "metrics", ["f1", "pearson"], True),
        ("names", "num_labels", 2, False),
        ("numbers", "metrics", ["pearson"], False),
    ):
        files = dict.fromkeys(("train_file", "validation_file"), str(tmp_path / f"{name}.csv"))
        output = tmp_path / f"{name}_{option}_{value}"
        with pytest.raises(ConfigError) if is_refused else nullcontext() as caught:
            fetch_dataset(output, **files, task_args=json.dumps({option: value}))
        assert not is_refused or caught.value.setting == f"task_args.{option}"
        assert output.exists() != is_refused


def test_a_task_name_says_columns_and_scores_of_files(tmp_path):
    path = tmp_path / "train.jsonl"
    records = [{"sentence1": f"a {n}", "note": "n", "sentence2": f"b {n}", "label": n % 2} for n in range(4)]
    path.write_text("\n".join(map(json.dumps, records)))
    fetch_dataset(tmp_path / "dataset", train_file=str(path), validation_file=str(path), task_name="mrpc")
    schema = read_schema(tmp_path / "dataset")
    assert schema.source_columns == {"text": "sentence1", "text_pair": "sentence2", "label": "label"}
    assert schema.task_args["metrics"] == ["accuracy", "f1"]
    assert rows(tmp_path / "dataset", "train")[1] == ("a 1", "b 1", 1)


def test_what_the_user_says_goes_before_a_task_name(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text("text,label\na,1\nb,0\n")
    fetch_dataset(
        tmp_path / "dataset",
        train_file=str(path),
        validation_file=str(path),
        task_name="sst2",
        text_column="text",
        task_args='{"metrics": ["f1"]}',
    )
    schema = read_schema(tmp_path / "dataset")
    assert (schema.source_columns["text"], schema.task_args["metrics"]) == ("text", ["f1"])


@pytest.mark.slow
def test_it_loads_no_deep_learning_library(files, tmp_path):
    arguments = {**files, "output": str(tmp_path / "dataset")}
    code = (
        "import sys, json; from pathlib import Path\n"
        "from sparse_core.steps.fetch_dataset import fetch_dataset\n"
        f"settings = json.loads({json.dumps(arguments)!r})\n"
        "fetch_dataset(Path(settings.pop('output')), **settings)\n"
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path, monkeypatch):
    """Python's peak for 16 times the rows is within 1.2 times."""
    import tracemalloc

    from sparse_core.sources.data import split_writer as datasets
    from sparse_core.tasks.text_classification import rows as text_rows

    monkeypatch.setattr(datasets, "_ROWS_IN_BATCH", 100)
    monkeypatch.setattr(text_rows, "ROWS_TO_LOOK_AT", 100)
    peaks = []
    for factor in (0, 1, 16):  # the first run pays for the imports
        path = tmp_path / f"{factor}.csv"
        path.write_text("text,label\n" + "some text,0\nother text,1\n" * 200 * (factor or 1))
        tracemalloc.start()
        fetch_dataset(tmp_path / f"dataset{factor}", train_file=str(path), validation_file=str(path))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[2] < 1.2 * peaks[1]
