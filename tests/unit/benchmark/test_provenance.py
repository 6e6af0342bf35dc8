"""What the artifacts say about themselves."""

from __future__ import annotations

import json

import pytest

from sparse_core.artifacts.record import RunRecord
from sparse_core.benchmark.provenance import (
    command_line,
    deployed_model,
    made_by,
    read_verification,
    report_title,
    require_same_task,
    training_runs,
)
from sparse_core.errors import ModelError


def test_an_export_without_a_model_is_refused(tmp_path):
    with pytest.raises(ModelError, match="holds no deployment/model.onnx; give the output folder of export_onnx"):
        deployed_model(tmp_path)


def test_the_deployed_model_is_found(tmp_path):
    (tmp_path / "deployment").mkdir()
    (tmp_path / "deployment" / "model.onnx").touch()

    assert deployed_model(tmp_path) == tmp_path / "deployment" / "model.onnx"


TAGS = ("token_classification", ("logits",), ["B", "O"])
ANSWERS = ("question_answering", ("start_logits", "end_logits"), [])


@pytest.mark.parametrize(
    ("manifest", "labels", "expected", "found"),
    [
        ({"task": "token_classification"}, ["B", "O"], TAGS, None),
        ({}, ["B", "O"], TAGS, None),
        ({"task": "text_classification"}, ["B", "O"], TAGS, "is for text_classification, and the data is for token_"),
        ({}, [], ANSWERS, "has the outputs logits, and question_answering needs start_logits"),
        ({}, ["O", "B"], TAGS, "has the labels O, B, and the data has the labels B, O"),
        ({}, [], TAGS, "has no labels, and the data has the labels B, O"),
        ({}, list("abcdefghijkl"), TAGS, "has the labels a, b, c, d, e, f, g, h, i, j, ..., and the data has the"),
    ],
)
def test_a_deployment_of_another_task_is_refused(tiny_model, tmp_path, manifest, labels, expected, found):
    folder = tmp_path / "deployment"
    folder.mkdir()
    (folder / "model.onnx").symlink_to(tiny_model / "model.onnx")
    if manifest:
        (folder / "manifest.json").write_text(json.dumps(manifest))
    if labels:
        (folder / "labels.json").write_text(json.dumps(labels))
    if found is None:
        require_same_task(tmp_path, *expected)
        return
    message = rf"^deployment: .*model\.onnx {found}.*; give the output folder of export_onnx for the model under test$"
    with pytest.raises(ModelError, match=message):
        require_same_task(tmp_path, *expected)


def test_maker_is_the_step_of_the_manifest(tmp_path):
    RunRecord(step="prune").write(tmp_path / "made")

    assert made_by(tmp_path / "made").startswith("prune, sparse_core ")
    assert made_by(tmp_path) == "given"


def test_verification_is_optional(tmp_path):
    assert read_verification(tmp_path) == {}
    (tmp_path / "verification.json").write_text('{"num_rows": 3}')
    assert read_verification(tmp_path) == {"num_rows": 3}


def test_a_training_that_went_on_shows_only_its_own_epochs(tmp_path):
    first, second = {"epoch": 1.0, "loss": 2.0}, {"epoch": 2.0, "loss": 1.0}
    for name, entries in (("sparse", [first]), ("final", [first, second])):
        (tmp_path / name).mkdir()
        RunRecord(step="prune", log_history=entries).write(tmp_path / name)

    runs = training_runs(
        [("teacher", tmp_path / "absent"), ("sparse", tmp_path / "sparse"), ("final", tmp_path / "final")]
    )

    assert runs == [{"name": "sparse", "log_history": [first]}, {"name": "final", "log_history": [second]}]


def test_title_names_the_model_in_words():
    config = {"model_type": "bert", "num_hidden_layers": 6, "hidden_size": 384}

    assert report_title(config, "text_classification") == "bert, 6 layers of 384, text classification"
    assert report_title({"model_type": "other"}, "text_classification") == "other, text classification"


def test_command_quotes_and_leaves_out_what_is_unset(tmp_path):
    command = command_line("benchmark", {"output": "my folder", "num_runs": 3, "engines": ""})

    assert command == "sparse-core benchmark \\\n  --output 'my folder' \\\n  --num-runs 3"
