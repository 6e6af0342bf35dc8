"""Data sets of a hub on this machine, by the real loaders: which copy is read, and what is said when none can be."""

from __future__ import annotations

import logging
import sys
import time

import datasets
import pytest

from sparse_core.errors import DataError, DependencyError
from sparse_core.sources.data.hub_datasets import read_data_set
from sparse_core.sources.data.hub_names import PARQUET_REVISION

TAGS = ["O", "B-PER", "I-PER"]
TOKEN_FEATURES = {
    "tokens": datasets.List(datasets.Value("string")),
    "ner_tags": datasets.List(datasets.ClassLabel(names=TAGS)),
}
TEXT_FEATURES = {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])}
CARD = """---
configs:
- config_name: emotion
  data_files: [{split: train, path: emotion/train.parquet}, {split: test, path: emotion/test.parquet}]
- config_name: irony
  data_files: [{split: train, path: irony/train.parquet}]
---
"""


def rows(splits, split="train"):
    return [row.values for row in splits[split].rows()]


@pytest.fixture
def tweet_eval(hub, parquet):
    """A data set with two configurations and a card that says which files they are made of."""
    branch = hub.branch("cardiffnlp/tweet_eval")
    (branch / "README.md").write_text(CARD)
    for name, label in (("emotion/train", 1), ("emotion/test", 0), ("irony/train", 0)):
        parquet(branch / f"{name}.parquet", [{"text": name, "label": label}], TEXT_FEATURES)
    return hub


@pytest.fixture
def conll2003(hub, parquet):
    """A data set whose main branch is a script, and the hub's conversion of it."""
    (hub.branch("eriktks/conll2003") / "conll2003.py").write_text("raise SystemExit")
    branch = hub.branch("eriktks/conll2003", PARQUET_REVISION)
    for split in ("train", "validation", "test"):
        tagged = [{"tokens": ["EU", split], "ner_tags": [0, 2]}, {"tokens": [], "ner_tags": []}]
        parquet(branch / "conll2003" / split / "0000.parquet", tagged, TOKEN_FEATURES)
    return hub


def test_a_short_name_is_read_from_its_namespaced_copy(tweet_eval, caplog):
    with caplog.at_level(logging.INFO):
        splits = read_data_set("tweet_eval", "emotion")
    assert rows(splits) == [{"text": "emotion/train", "label": "pos"}]
    assert rows(splits, "test") == [{"text": "emotion/test", "label": "neg"}]
    (said,) = [record.message for record in caplog.records if record.name.startswith("sparse_core")]
    assert said == "'tweet_eval' is read from cardiffnlp/tweet_eval, configuration emotion"


def test_a_namespaced_id_is_taken_as_it_is(tweet_eval, caplog):
    with caplog.at_level(logging.INFO):
        splits = read_data_set("cardiffnlp/tweet_eval", "irony")
    assert rows(splits) == [{"text": "irony/train", "label": "neg"}]
    assert not [record for record in caplog.records if record.name.startswith("sparse_core")]


@pytest.mark.parametrize("config", ["", "conll2003"])
def test_a_script_is_replaced_by_the_hubs_conversion(conll2003, caplog, config):
    with caplog.at_level(logging.INFO):
        splits = read_data_set("conll2003", config)
    assert list(splits) == ["test", "train", "validation"]
    assert rows(splits) == [{"tokens": ["EU", "train"], "ner_tags": ["O", "I-PER"]}, {"tokens": [], "ner_tags": []}]
    assert splits["train"].label_names("ner_tags") == TAGS
    assert splits["train"].label_names("tokens") is None
    assert "'conll2003' is read from eriktks/conll2003, configuration conll2003, revision refs/convert/p" in caplog.text
    assert not any("conll2003.py" in request for request in conll2003.requests)


def test_what_was_read_once_is_read_offline(conll2003, tweet_eval, use_endpoint):
    read_data_set("conll2003")
    read_data_set("tweet_eval", "emotion")
    use_endpoint("http://127.0.0.1:9", is_offline=True)
    assert rows(read_data_set("conll2003"), "test")[0] == {"tokens": ["EU", "test"], "ner_tags": ["O", "I-PER"]}
    assert rows(read_data_set("tweet_eval", "emotion"), "test") == [{"text": "emotion/test", "label": "neg"}]


def test_the_user_names_another_copy(hub, parquet):
    for revision in ("main", "v2"):
        parquet(hub.branch("mine/conll2003", revision) / "train.parquet", [{"tokens": [revision]}])
    assert rows(read_data_set("mine/conll2003")) == [{"tokens": ["main"]}]
    assert rows(read_data_set("mine/conll2003", revision="v2")) == [{"tokens": ["v2"]}]


def test_a_revision_of_the_user_goes_before_that_of_the_table(conll2003, parquet):
    parquet(conll2003.branch("eriktks/conll2003", "fixed") / "train.parquet", [{"tokens": ["fixed"]}])
    assert rows(read_data_set("conll2003", revision="fixed")) == [{"tokens": ["fixed"]}]


def message(name, config="", revision=""):
    with pytest.raises(DataError) as caught:
        read_data_set(name, config, revision)
    return str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("cardiffnlp/tweet_eval",),
            "dataset_config_name: cardiffnlp/tweet_eval has several configurations; expected one of emotion, irony",
        ),
        (
            ("tweet_eval", "emotoin"),
            "dataset_config_name: cardiffnlp/tweet_eval has no configuration 'emotoin'; expected one of emotion, "
            "irony; did you mean 'emotion'?",
        ),
        (
            ("tweet_eval", "emotion", "v9"),
            "dataset_name: cardiffnlp/tweet_eval, configuration emotion, revision v9 cannot be read: it has no such "
            "revision; to read another copy, give dataset_name as owner/name, with dataset_revision",
        ),
        (
            ("tweet_evil", "emotion"),
            "dataset_name: tweet_evil, configuration emotion cannot be read: there is no such data set, or it is "
            "private or gated and HF_TOKEN is not set to a token that may read it; did you mean 'tweet_eval'?",
        ),
        (
            ("cardiffnlp/tweet_eval", "", PARQUET_REVISION),
            "dataset_name: cardiffnlp/tweet_eval, revision refs/convert/parquet cannot be read: it has no such "
            "revision; to read another copy, give dataset_name as owner/name, with dataset_revision",
        ),
        (
            ("wnut_17",),
            "dataset_name: leondz/wnut_17, configuration wnut_17, revision refs/convert/parquet cannot be read: there "
            "is no such data set, or it is private or gated and HF_TOKEN is not set to a token that may read it",
        ),
    ],
)
def test_what_the_hub_does_not_have(tweet_eval, arguments, expected):
    assert message(*arguments) == expected


def test_a_configuration_that_was_not_converted(conll2003):
    assert message("conll2003", "conll2033") == (
        "dataset_name: eriktks/conll2003, configuration conll2033, revision refs/convert/parquet cannot be read: it "
        "has no conll2033/*/*.parquet; set dataset_config_name to one of conll2003"
    )


def test_a_script_is_never_run(conll2003):
    assert message("conll2003", "", "main") == (
        "dataset_name: eriktks/conll2003, revision main cannot be read: it is made by the loading script conll2003.py, "
        "and such scripts are never run; set dataset_revision to refs/convert/parquet, the hub's own conversion, or "
        "name another copy"
    )


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"notes.py": "x"}, "it has no data files that can be read"),
        ({"train.csv": "a,b\n1,2\n", "test.csv": "a,c\n1,2\n"}, "used .Couldn't cast a: int64 c: int64 .*because"),
        (
            {"train_0.csv": "a,b\n1,2\n", "train_1.csv": "a,c\n1,2\n"},
            "used .Schema at index 1 was different: a: int64 b",
        ),
        ({"train.parquet": "a,b\n1,2\n"}, "its files cannot be used .Parquet magic bytes not found"),
        ({"train.json": '{"a": '}, "its files cannot be used"),
    ],
)
def test_files_that_cannot_be_read(hub, files, reason):
    for name, content in files.items():
        (hub.branch("mine/data") / name).write_text(content)
    with pytest.raises(DataError, match=f"^dataset_name: mine/data cannot be read: .*{reason}.*; to read another copy"):
        read_data_set("mine/data")


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"train.json": "[[["}, r"train\.json cannot be used \("),
        ({f"{n}.csv": f"a{n}\n1\n" for n in range(5)}, r"0\.csv, 1\.csv, 2\.csv, 3\.csv, \.\.\. cannot be used \("),
        ({"train.csv": "a\n1\n", "test.txt": "x"}, r"its files are of several forms \(csv, text\)"),
        ({"model.bin": "x"}, "it has no data files that can be read"),
    ],
)
def test_a_directory_that_cannot_be_read(tmp_path, files, reason):
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=f"{tmp_path} cannot be read: {reason}") as caught:
        read_data_set(str(tmp_path))
    assert caught.value.setting == "dataset_name"
    assert "owner/name" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("tweet_eval", "cardiffnlp/tweet_eval, configuration emotion cannot be read"),
        ("conll2003", "eriktks/conll2003, configuration emotion, revision refs/convert/parquet cannot be read"),
    ],
)
@pytest.mark.parametrize("is_offline", [True, False])
def test_a_hub_that_does_not_answer(use_endpoint, monkeypatch, name, place, is_offline):
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between attempts
    use_endpoint("http://user:secret@127.0.0.1:9", is_offline)
    said = message(name, "emotion")
    assert said.startswith(f"dataset_name: {place}: ")
    assert ("HF_HUB_OFFLINE is set" in said) == is_offline
    assert ("http://127.0.0.1:9 does not answer" in said) == (not is_offline)
    wanted = {"tweet_eval": "cardiffnlp/tweet_eval/README.md", "conll2003": "eriktks/conll2003/emotion/*/*.parquet"}
    assert f", when it was asked for {wanted[name]}; to work offline, give files as train_file" in said
    assert "secret" not in said


def test_a_hub_that_breaks_off_names_the_file(tweet_eval, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda _: None)
    tweet_eval.fail_on("train.parquet")
    said = message("tweet_eval", "emotion")
    assert "does not answer" in said
    assert "emotion/train.parquet; to work offline" in said


def test_another_configuration_in_the_cache_is_not_taken(tweet_eval, use_endpoint):
    read_data_set("tweet_eval", "emotion")
    use_endpoint("http://127.0.0.1:9", is_offline=True)
    assert message("tweet_eval", "irony").startswith(
        "dataset_name: cardiffnlp/tweet_eval, configuration irony cannot be read: the hub does not serve it, and the "
        "cache has only emotion of it; to work offline, give files"
    )


@pytest.mark.parametrize("is_offline", [True, False])
def test_another_revision_in_the_cache_is_not_taken(hub, parquet, use_endpoint, monkeypatch, is_offline):
    for revision in ("main", "v2"):
        parquet(hub.branch("mine/data", revision) / "train.parquet", [{"text": revision}])
    read_data_set("mine/data")
    monkeypatch.setattr(time, "sleep", lambda _: None)
    use_endpoint("http://127.0.0.1:9", is_offline)
    assert rows(read_data_set("mine/data")) == [{"text": "main"}]
    said = message("mine/data", revision="v2")
    assert said.startswith("dataset_name: mine/data, revision v2 cannot be read: ")
    assert "; to work offline, give files as train_file" in said


def test_a_repository_that_does_not_exist_at_a_revision(hub):
    assert message("nobody/data", revision="v2").startswith(
        "dataset_name: nobody/data, revision v2 cannot be read: there is no such data set, or it is private"
    )


def test_without_datasets_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    message = r"^dataset_name: 'nyu-mll/glue' needs `datasets`, .* pip install sparse-pipelines\[train\]$"
    with pytest.raises(DependencyError, match=message):
        read_data_set("glue")
