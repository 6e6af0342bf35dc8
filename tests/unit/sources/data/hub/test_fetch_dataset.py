"""The step on data sets of the hub and of directories: columns, labels and scores of the real tasks."""

from __future__ import annotations

import json
import logging
import subprocess
import sys

import datasets
import pyarrow as pa
import pytest

from sparse_core.errors import DataError, SparseCoreError
from sparse_core.sources.data.hub_names import PARQUET_REVISION
from sparse_core.steps.fetch_dataset import fetch_dataset
from sparse_core.store import identity, read_manifest
from sparse_core.tasks import read_schema

TEXT = datasets.Value("string")
PAIRS = {
    "sentence1": TEXT,
    "sentence2": TEXT,
    "label": datasets.ClassLabel(names=["not_equivalent", "equivalent"]),
    "idx": datasets.Value("int32"),
}
NLI = {
    "premise": TEXT,
    "hypothesis": TEXT,
    "label": datasets.ClassLabel(names=["entailment", "neutral", "contradiction"]),
}
SCORES = {"sentence1": TEXT, "sentence2": TEXT, "label": datasets.Value("float32")}


@pytest.fixture
def glue(hub, parquet):
    """GLUE with a few rows of three of its tasks; the labels of the test splits are not public."""
    branch = hub.branch("nyu-mll/glue")
    splits = {
        "mrpc": (PAIRS, {"train": [1, 0, 1], "validation": [0], "test": [-1, -1]}),
        "mnli": (
            NLI,
            {
                "train": [2, 0, 1],
                "validation_matched": [1],
                "validation_mismatched": [0, 2],
                "test_matched": [-1],
                "test_mismatched": [-1, -1, -1],
            },
        ),
        "stsb": (SCORES, {"train": [0.5, 5.0], "validation": [2.25], "test": [-1.0]}),
    }
    configs = []
    for name, (features, labels) in splits.items():
        texts = [column for column in features if features[column] is TEXT]
        for split, values in labels.items():
            records = [
                {**{text: f"{text} {n}" for text in texts}, "label": label, **({"idx": n} if "idx" in features else {})}
                for n, label in enumerate(values)
            ]
            parquet(branch / name / f"{split}.parquet", records, features)
        files = [{"split": split, "path": f"{name}/{split}.parquet"} for split in labels]
        configs.append({"config_name": name, "data_files": files})
    (branch / "README.md").write_text(f"---\nconfigs: {json.dumps(configs)}\n---\n")
    return hub


def rows(dataset, split):
    with pa.OSFile(str(dataset / f"{split}.arrow"), "rb") as source, pa.ipc.open_stream(source) as reader:
        return [tuple(row.values()) for row in reader.read_all().to_pylist()]


def messages(caplog):
    return [record.message for record in caplog.records if record.name.startswith("sparse_core")]


def _is_unlabelled(message, source):
    return message.startswith(f"{source}: ") and "unlabelled_test" in message


def test_a_task_of_glue(glue, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        facts = fetch_dataset(tmp_path / "named", task_name="mrpc")
    assert facts == {
        "num_train_rows": 3,
        "num_validation_rows": 1,
        "num_test_rows": 0,
        "num_unlabelled_test_rows": 2,
        "num_labels": 2,
    }
    assert rows(tmp_path / "named", "unlabelled_test") == [
        ("sentence1 0", "sentence2 0"),
        ("sentence1 1", "sentence2 1"),
    ]
    schema = read_schema(tmp_path / "named")
    assert schema.label_names == ["not_equivalent", "equivalent"]
    assert schema.source_columns == {"text": "sentence1", "text_pair": "sentence2", "label": "label"}
    assert schema.task_args["metrics"] == ["accuracy", "f1"]
    assert rows(tmp_path / "named", "train")[0] == ("sentence1 0", "sentence2 0", 1)
    assert any(_is_unlabelled(message, "nyu-mll/glue/mrpc, split test") for message in messages(caplog))
    fetch_dataset(tmp_path / "glue", dataset_name="glue", dataset_config_name="mrpc")
    assert identity(tmp_path / "glue") == identity(tmp_path / "named")
    settings = read_manifest(tmp_path / "named")["settings"]
    assert (settings["dataset_name"], settings["dataset_config_name"]) == ("nyu-mll/glue", "mrpc")


def test_mnli_has_two_splits_to_measure_on_and_two_to_predict(glue, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        facts = fetch_dataset(tmp_path / "mnli", task_name="mnli", max_eval_samples=1, max_predict_samples=2)
    assert facts == {
        "num_train_rows": 3,
        "num_validation_rows": 1,
        "num_test_rows": 0,
        "num_unlabelled_test_rows": 1,
        "num_validation_mismatched_rows": 1,
        "num_unlabelled_test_mismatched_rows": 2,
        "num_labels": 3,
    }
    assert not [message for message in messages(caplog) if "not used" in message]
    assert rows(tmp_path / "mnli", "unlabelled_test_mismatched")[1] == ("premise 1", "hypothesis 1")
    assert [label for *_, label in rows(tmp_path / "mnli", "train")] == [2, 0, 1]
    assert rows(tmp_path / "mnli", "validation_mismatched") == [("premise 0", "hypothesis 0", 0)]


def test_stsb_is_a_regression(glue, tmp_path):
    facts = fetch_dataset(tmp_path / "stsb", task_name="stsb")
    assert (facts["num_labels"], facts["num_test_rows"], facts["num_unlabelled_test_rows"]) == (0, 0, 1)
    assert rows(tmp_path / "stsb", "unlabelled_test") == [("sentence1 0", "sentence2 0")]
    assert [label for *_, label in rows(tmp_path / "stsb", "train")] == [0.5, 5.0]
    args = read_schema(tmp_path / "stsb").task_args
    assert (args["problem_type"], args["metrics"]) == ("regression", ["pearson", "spearmanr"])


def test_tags_of_a_data_set_that_was_a_script(hub, parquet, tmp_path, capfd):
    features = {
        "tokens": datasets.List(TEXT),
        "pos_tags": datasets.List(datasets.ClassLabel(names=["NN", "VB"])),
        "ner_tags": datasets.List(datasets.ClassLabel(names=["O", "B-PER", "B-LOC"])),
    }
    branch = hub.branch("eriktks/conll2003", PARQUET_REVISION)
    records = [{"tokens": ["Ann", "runs"], "pos_tags": [0, 1], "ner_tags": [1, 0]}]
    for split in ("train", "validation", "test"):
        parquet(branch / "conll2003" / split / "0000.parquet", records, features)
    for task_name, names, tags in (("ner", ["O", "B-PER", "B-LOC"], [1, 0]), ("pos", ["NN", "VB"], [0, 1])):
        output = tmp_path / task_name
        facts = fetch_dataset(output, task="token_classification", dataset_name="conll2003", task_name=task_name)
        assert facts["num_labels"] == len(names)
        assert read_schema(output).label_names == names
        assert rows(output, "test") == [(["Ann", "runs"], tags)]
    assert "Fetching" not in capfd.readouterr().err  # a progress bar, which only terminals get


def test_questions_of_squad(hub, parquet, tmp_path):
    features = {
        "id": TEXT,
        "title": TEXT,
        "context": TEXT,
        "question": TEXT,
        "answers": {"text": datasets.List(TEXT), "answer_start": datasets.List(datasets.Value("int32"))},
    }
    record = {
        "id": "7",
        "title": "t",
        "context": "a b c",
        "question": "?",
        "answers": {"text": ["b"], "answer_start": [2]},
    }
    for split in ("train", "validation"):
        parquet(hub.branch("rajpurkar/squad") / f"{split}.parquet", [record], features)
    facts = fetch_dataset(tmp_path / "squad", task="question_answering", dataset_name="squad")
    assert facts == {"num_train_rows": 1, "num_validation_rows": 1, "num_test_rows": 0, "num_labels": 0}
    assert rows(tmp_path / "squad", "train") == [("7", "?", "a b c", {"text": ["b"], "answer_start": [2]})]


@pytest.fixture
def saved(tmp_path):
    """Saves splits of texts and labels as a `datasets` directory; labels by split, and names of their classes."""

    def save(names=("neg", "pos"), **labels):
        splits = {}
        for split, values in labels.items():
            records = {"text": [f"{split} {n}" for n in range(len(values))], "label": values}
            classes = names[split] if isinstance(names, dict) else names
            features = datasets.Features({"text": TEXT, "label": datasets.ClassLabel(names=list(classes))})
            splits[split] = datasets.Dataset.from_dict(records, features=features)
        datasets.DatasetDict(splits).save_to_disk(tmp_path / "saved")
        return str(tmp_path / "saved")

    return save


def test_declared_classes_keep_their_order(saved, tmp_path):
    name = saved(("pos", "neg", "never"), train=[0, 1, 1], validation=[1], test=[0])
    facts = fetch_dataset(tmp_path / "dataset", dataset_name=name)
    assert facts["num_labels"] == 3
    assert read_schema(tmp_path / "dataset").label_names == ["pos", "neg", "never"]
    assert rows(tmp_path / "dataset", "train") == [("train 0", 0), ("train 1", 1), ("train 2", 1)]


def test_classes_in_another_order_are_the_same_classes(saved, tmp_path):
    name = saved({"train": ["neg", "pos"], "validation": ["pos", "neg"]}, train=[0, 1], validation=[0, 1])
    fetch_dataset(tmp_path / "dataset", dataset_name=name)
    assert rows(tmp_path / "dataset", "validation") == [("validation 0", 1), ("validation 1", 0)]


def test_classes_that_change_between_splits(saved, tmp_path):
    name = saved({"train": ["neg", "pos"], "validation": ["neg", "good"]}, train=[0, 1], validation=[0, 1])
    with pytest.raises(DataError, match="it has 'good' and lacks 'pos'") as caught:
        fetch_dataset(tmp_path / "dataset", dataset_name=name)
    assert caught.value.setting == "dataset_name"
    assert not (tmp_path / "dataset").exists()


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_label_that_is_not_given(saved, tmp_path, split):
    labels = {"train": [0, 1], "validation": [0, 1]} | {split: [1, -1, -1]}
    with pytest.raises(DataError, match=r"row 2: has no label in column 'label' \(2 rows in all\)") as caught:
        fetch_dataset(tmp_path / "dataset", dataset_name=saved(**labels))
    assert caught.value.setting == "dataset_name"
    assert caught.value.place.file.endswith(f"split {split}")


def test_a_test_split_without_labels_is_kept_without_them(saved, tmp_path, caplog):
    names = {"train": ("neg", "pos"), "validation": ("neg", "pos"), "test": ("hidden",)}
    name = saved(names, train=[0, 1], validation=[0], test=[-1, -1])
    with caplog.at_level(logging.INFO):
        facts = fetch_dataset(tmp_path / "dataset", dataset_name=name)
    assert (facts["num_test_rows"], facts["num_unlabelled_test_rows"]) == (0, 2)
    assert rows(tmp_path / "dataset", "unlabelled_test") == [("test 0",), ("test 1",)]
    (message,) = messages(caplog)
    assert _is_unlabelled(message, f"{name}, split test")


def test_a_test_split_with_some_labels_is_refused(saved, tmp_path):
    name = saved(train=[0, 1], validation=[0], test=[-1, 0, -1])
    with pytest.raises(DataError, match=r"row 1: has no label in column 'label' \(2 rows in all\)"):
        fetch_dataset(tmp_path / "dataset", dataset_name=name)
    facts = fetch_dataset(tmp_path / "first", dataset_name=name, max_predict_samples=1)
    assert (facts["num_test_rows"], facts["num_unlabelled_test_rows"]) == (0, 1)


def test_a_test_split_without_tags_is_kept_without_them(tmp_path, caplog):
    tags = datasets.List(datasets.ClassLabel(names=["O", "B-x"]))
    features = datasets.Features({"tokens": datasets.List(datasets.Value("string")), "ner_tags": tags})
    splits = {"train": [0, 1], "validation": [1, 0], "test": [-1, -1]}
    datasets.DatasetDict(
        {
            split: datasets.Dataset.from_dict({"tokens": [["a", "b"]], "ner_tags": [values]}, features=features)
            for split, values in splits.items()
        }
    ).save_to_disk(tmp_path / "saved")
    with caplog.at_level(logging.INFO):
        facts = fetch_dataset(tmp_path / "dataset", task="token_classification", dataset_name=str(tmp_path / "saved"))
    assert (facts["num_test_rows"], facts["num_unlabelled_test_rows"]) == (0, 1)
    assert rows(tmp_path / "dataset", "unlabelled_test") == [(["a", "b"],)]
    assert f"{tmp_path / 'saved'}, split test: has no labels in column 'ner_tags', so" in "".join(messages(caplog))


def test_the_first_rows_of_declared_classes(saved, tmp_path):
    name = saved(train=[0, 0, 0, 1], validation=[1, 0])
    facts = fetch_dataset(tmp_path / "dataset", dataset_name=name, max_train_samples=2)
    assert (facts["num_train_rows"], facts["num_labels"]) == (2, 2)


def test_a_directory_must_be_the_one_that_was_submitted(saved, tmp_path):
    name = saved(train=[0, 1], validation=[0])
    content_hash = identity(tmp_path / "saved")
    fetch_dataset(tmp_path / "same", dataset_name=name, content_hash=content_hash)
    (tmp_path / "saved" / "note").write_text("x")
    with pytest.raises(DataError, match=f"^content_hash: {name} has changed since this run was submitted; submit the"):
        fetch_dataset(tmp_path / "other", dataset_name=name, content_hash=content_hash)


def test_only_the_test_split_besides_train(saved, tmp_path):
    name = saved(train=[0, 1] * 10, test=[0, 1])
    with pytest.raises(DataError, match="has no validation split, only train, test; set validation_ratio, .*eval_on_t"):
        fetch_dataset(tmp_path / "dataset", dataset_name=name)
    assert fetch_dataset(tmp_path / "cut", dataset_name=name, validation_ratio=0.1) == {
        "num_train_rows": 18,
        "num_validation_rows": 2,
        "num_test_rows": 2,
        "num_labels": 2,
    }
    fetch_dataset(tmp_path / "tested", dataset_name=name, eval_on_test=True)
    assert rows(tmp_path / "tested", "validation") == rows(tmp_path / "tested", "test")


def test_parquet_files(saved, tmp_path):
    for split, values in (("train", [1, 0]), ("validation", [0])):
        features = datasets.Features({"text": TEXT, "label": datasets.ClassLabel(names=["neg", "pos"])})
        records = {"text": [f"{split} {n}" for n in range(len(values))], "label": values}
        datasets.Dataset.from_dict(records, features=features).to_parquet(str(tmp_path / f"{split}.parquet"))
    fetch_dataset(
        tmp_path / "dataset",
        train_file=str(tmp_path / "train.parquet"),
        validation_file=str(tmp_path / "validation.parquet"),
    )
    assert read_schema(tmp_path / "dataset").label_names == ["neg", "pos"]
    assert rows(tmp_path / "dataset", "train") == [("train 0", 1), ("train 1", 0)]


def test_object_storage_is_refused_at_the_seam(tmp_path):
    for settings in (
        {"dataset_name": "s3://bucket/data"},
        {"train_file": "s3://bucket/train.csv", "validation_ratio": 0.1},
    ):
        with pytest.raises(SparseCoreError) as caught:
            fetch_dataset(tmp_path / "dataset", **settings)
        assert caught.value.setting == next(iter(settings))


@pytest.mark.slow
def test_a_data_set_loads_no_deep_learning_library(saved, tmp_path):
    name = saved(train=[0, 1], validation=[0])
    code = (
        "import sys; from pathlib import Path\n"
        "from sparse_core.steps.fetch_dataset import fetch_dataset\n"
        f"fetch_dataset(Path({str(tmp_path / 'dataset')!r}), dataset_name={name!r})\n"
        "print(sorted({'torch', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
