"""What a candidate's folder is, which one it was exported from, and which are refused."""

from __future__ import annotations

import json
import shutil

import pytest

from sparse_core.artifacts.deployment import DeploymentRecord
from sparse_core.benchmark.candidates import choose_reference, find_candidates, require_fitting_deployment
from sparse_core.errors import ConfigError, ModelError
from sparse_core.store import identity

TAGS = ("token_classification", ("logits",), ["B", "O"])
ANSWERS = ("question_answering", ("start_logits", "end_logits"), [])


@pytest.fixture
def model(tiny_model, tmp_path):
    """A Hugging Face folder without an ONNX file."""
    shutil.copytree(tiny_model, tmp_path / "model", ignore=shutil.ignore_patterns("model.onnx"))
    return tmp_path / "model"


def deployment(tiny_model, folder, labels=(), **facts):
    folder.mkdir()
    (folder / "config.json").write_text((tiny_model / "config.json").read_text())
    (folder / "model.onnx").symlink_to(tiny_model / "model.onnx")
    if labels:
        (folder / "labels.json").write_text(json.dumps(list(labels)))
    DeploymentRecord(step="export_onnx", **facts).write(folder)
    return folder


def test_a_folder_is_known_by_its_files(model, tiny_model, tmp_path):
    exported = deployment(tiny_model, tmp_path / "exported")

    found = find_candidates({"a deployment": model, "a model": exported})

    assert [(folder.name, folder.kind) for folder in found] == [("a deployment", "model"), ("a model", "deployment")]
    assert found[0].made_by() == "unknown"
    assert found[1].made_by().startswith("export_onnx, sparse_core ")


@pytest.mark.parametrize("by", ["contents", "source"])
def test_a_deployment_is_traced_to_the_candidate_that_it_was_exported_from(by, model, tiny_model, tmp_path):
    other = shutil.copytree(model, tmp_path / "other")
    (other / "config.json").write_text((other / "config.json").read_text() + "\n")
    facts = {"contents": {"model": identity(model)}} if by == "contents" else {"source": str(model)}
    exported = deployment(tiny_model, tmp_path / "exported", **facts)

    found = find_candidates({"out": exported, "other": other, "origin": model})

    assert [folder.exported_from for folder in found] == ["origin", "", ""]
    assert find_candidates({"out": exported, "other": other})[0].exported_from == ""


@pytest.mark.parametrize("name", ["", " x", "_hidden", "-x", "two\nlines", "a" * 41])
def test_names_that_plots_and_tables_cannot_show_are_refused(model, name):
    with pytest.raises(ConfigError) as caught:
        find_candidates({name: model})
    assert (caught.value.setting, caught.value.got) == ("candidates", name)


@pytest.mark.parametrize("number", [0, 9])
def test_none_and_more_than_eight_are_refused(model, number):
    with pytest.raises(ConfigError) as caught:
        find_candidates({str(index): model for index in range(number)})
    assert (caught.value.setting, caught.value.got) == ("candidates", number)


@pytest.mark.parametrize("left", ["nothing", "config.json"])
def test_a_folder_that_is_neither_is_refused_by_the_candidates_name(model, left):
    for path in model.iterdir():
        if path.name != left:
            path.unlink()
    with pytest.raises(ModelError) as caught:
        find_candidates({"broken": model})
    assert caught.value.setting == "candidates.broken"


def test_the_first_candidate_is_the_reference_unless_another_is_named(model):
    found = find_candidates({"one": model, "two": model})
    assert (choose_reference(found, ""), choose_reference(found, "two")) == ("one", "two")
    with pytest.raises(ConfigError) as caught:
        choose_reference(found, "tow")
    assert (caught.value.setting, caught.value.fix) == ("reference", "did you mean 'two'?")


@pytest.mark.parametrize(
    ("facts", "labels", "expected", "reason"),
    [
        ({"task": "token_classification"}, ["B", "O"], TAGS, None),
        ({}, ["B", "O"], TAGS, None),
        ({"task": "text_classification"}, ["B", "O"], TAGS, "for text_classification"),
        ({}, [], ANSWERS, "start_logits"),
        ({}, ["O", "B"], TAGS, "the labels O, B"),
        ({}, [], TAGS, "no labels"),
        ({}, list("abcdefghijkl"), TAGS, "i, j, ..."),
    ],
)
def test_a_deployment_for_other_data_is_refused(tiny_model, tmp_path, facts, labels, expected, reason):
    (found,) = find_candidates({"out": deployment(tiny_model, tmp_path / "exported", labels, **facts)})
    if reason is None:
        require_fitting_deployment(found, *expected)
        return
    with pytest.raises(ModelError) as caught:
        require_fitting_deployment(found, *expected)
    assert caught.value.setting == "candidates.out"
    assert reason in str(caught.value)
