from __future__ import annotations

import json
import logging
import shutil

import numpy as np
import onnx
import onnxruntime
import pytest

from sparse_core.cli.sparseml.export import export, parse_export
from sparse_core.errors import ConfigError, DataError, ExportError, ModelError, OutputError
from sparse_core.export import generated, job
from sparse_core.export.verify import verify


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Directories of a float and of a quantized model, made by `session_run`."""
    return tmp_path_factory.mktemp("trained")


@pytest.fixture
def quantized(trained, run, quantized_recipe, tmp_path):
    """A quantized classifier, alone in its folder."""
    if not (trained / "quantized").exists():
        run(recipe=quantized_recipe, output_dir=trained / "quantized")
    shutil.copytree(trained / "quantized", tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def classifier(trained, run, tmp_path):
    """A float classifier, alone in its folder."""
    if not (trained / "float").exists():
        run(output_dir=trained / "float")
    shutil.copytree(trained / "float", tmp_path / "model")
    return tmp_path / "model"


def export_words(*words):
    return export(parse_export([str(word) for word in words]))


def test_a_quantized_model_lands_beside_its_folder(quantized, caplog):
    caplog.set_level(logging.INFO, "sparse_core")
    before = {path.name: path.stat().st_mtime_ns for path in quantized.iterdir()}
    target = export_words("--task", "text-classification", "--model_path", f"{quantized}/", "--finetuning_task", "sst2")
    assert target == quantized.parent / "deployment"
    names = {path.name for path in target.iterdir()}
    assert {"model.onnx", "config.json", "labels.json", "recipe.yaml", "manifest.json", "tokenizer.json"} <= names
    assert json.loads((target / "labels.json").read_text()) == ["neg", "pos"]
    assert json.loads((target / "config.json").read_text())["finetuning_task"] == "sst2"
    manifest = json.loads((target / "manifest.json").read_text())
    assert (manifest["step"], manifest["opset"], manifest["weight_type"]) == ("export_onnx", 14, "int8")
    assert manifest["source"] == str(quantized)
    stored = {tensor.data_type for tensor in onnx.load(target / "model.onnx").graph.initializer}
    assert onnx.TensorProto.INT8 in stored
    assert "against torch: optimized_difference " in caplog.text
    assert {path.name: path.stat().st_mtime_ns for path in quantized.iterdir()} == before


def test_any_length_and_batch_is_taken(classifier, caplog):
    caplog.set_level(logging.INFO, "sparse_core")
    words = ["--task", "glue", "--model_path", classifier, "--sequence_length", 16, "--onnx_file_name", "m.onnx"]
    target = export_words(*words, "--opset", "15")
    assert "--sequence_length: the exported model takes rows of any length; 16 is the longest" in caplog.text
    session = onnxruntime.InferenceSession(target / "m.onnx")
    for shape in ((1, 3), (2, 30)):
        feed = {entry.name: np.ones(shape, dtype=np.int64) for entry in session.get_inputs()}
        assert session.run(["logits"], feed)[0].shape == (shape[0], 2)
    assert {entry.version for entry in onnx.load(target / "m.onnx").opset_import} == {15}


def test_an_earlier_deployment_is_replaced(classifier, caplog):
    caplog.set_level(logging.INFO, "sparse_core")
    words = ["--task", "text_classification", "--model_path", classifier]
    target = export_words(*words, "--onnx_file_name", "old.onnx")
    export_words(*words)
    assert f"{target}: an earlier deployment is replaced" in caplog.text
    assert {path.name for path in target.iterdir()} & {"old.onnx", "model.onnx"} == {"model.onnx"}
    assert sorted(path.name for path in target.parent.iterdir()) == ["deployment", "model"]


def test_labels_are_in_the_order_of_the_logits(classifier):
    """Hubs list the numbers as texts are sorted."""
    config = json.loads((classifier / "config.json").read_text())
    config["id2label"] = {"1": "pos", "0": "neg"}
    (classifier / "config.json").write_text(json.dumps(config))
    target = export_words("--task", "text_classification", "--model_path", classifier)
    assert json.loads((target / "labels.json").read_text()) == ["neg", "pos"]


def test_what_no_export_has_made_is_left_alone(classifier):
    words = ["--task", "text_classification", "--model_path", classifier]
    target = classifier.parent / "deployment"
    target.mkdir()
    with pytest.raises(OutputError) as caught:
        export_words(*words)
    assert caught.value.setting == "--model_path"
    target.rmdir()
    export_words(*words)
    (target / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds notes.txt"):
        export_words(*words)
    assert (target / "notes.txt").read_text() == "mine" and (target / "model.onnx").exists()
    shutil.rmtree(target)
    target.write_text("a file")
    with pytest.raises(OutputError, match="holds deployment, which no export"):
        export_words(*words)


def test_a_graph_that_computes_something_else_is_not_published(classifier, monkeypatch):
    words = ["--task", "text_classification", "--model_path", classifier]
    target = export_words(*words)
    before = (target / "manifest.json").read_text()
    forward = generated.session_forward

    def wrong(session):
        return lambda inputs: {name: value + 1 for name, value in forward(session)(inputs).items()}

    monkeypatch.setattr(generated, "session_forward", wrong)
    with pytest.raises(ExportError, match="on generated tokens the outputs of the optimized .* differ from torch's by"):
        export_words(*words)
    assert (target / "manifest.json").read_text() == before
    assert sorted(path.name for path in target.parent.iterdir()) == ["deployment", "model"]


def test_rows_of_data_args_are_compared_and_sampled(classifier, files, caplog):
    caplog.set_level(logging.INFO, "sparse_core")
    data = {
        "train_file": str(files / "train.csv"),
        "validation_file": str(files / "validation.csv"),
        "max_eval_samples": 6,
    }
    words = ["--task", "text_classification", "--model_path", classifier, "--num_export_samples", 3]
    target = export_words(*words, "--data_args", json.dumps(data))
    assert "agreement 1, " in caplog.text
    assert len(list((target / "sample-inputs").iterdir())) == 3
    sample = np.load(target / "sample-inputs" / "inp-0000.npz")
    session = onnxruntime.InferenceSession(target / "model.onnx")
    logits = session.run(["logits"], {name: sample[name][None] for name in sample})[0]
    assert logits[0] == pytest.approx(np.load(target / "sample-outputs" / "out-0000.npz")["logits"], abs=1e-4)
    manifest = json.loads((target / "manifest.json").read_text())
    assert "sample-inputs/inp-0000.npz" in manifest["files"]
    assert (manifest["task"], manifest["task_args"]["num_labels"], manifest["max_seq_length"]) == (
        "text_classification", 2, 32,
    )  # fmt: skip


def test_the_manifest_has_the_options_of_the_training(run, files, tmp_path, caplog):
    caplog.set_level(logging.INFO, "sparse_core")
    flags = {"doc_stride": 4, "max_answer_length": 7, "task_args": '{"n_best_size": 9}'}
    run("question_answering", train_file=files / "qa.json", validation_file=files / "qa.json",
        output_dir=tmp_path / "m", do_eval=None, **flags)  # fmt: skip

    def manifest(*words):
        target = export_words("--task", "qa", "--model_path", tmp_path / "m", *words)
        return json.loads((target / "manifest.json").read_text())

    found = manifest()
    options = found["task_args"]
    assert (options["doc_stride"], options["max_answer_length"], options["n_best_size"]) == (4, 7, 9)
    assert (found["task"], found["max_seq_length"]) == ("question_answering", 16)
    assert "no record of a training" not in caplog.text
    assert manifest("--sequence_length", 24)["max_seq_length"] == 24
    for content in (None, "{}"):  # none, and that of another program
        (tmp_path / "m" / "manifest.json").unlink(missing_ok=True)
        if content is not None:
            (tmp_path / "m" / "manifest.json").write_text(content)
        caplog.clear()
        found = manifest()
        assert (found["task_args"]["doc_stride"], found["max_seq_length"]) == (None, 32)
        assert "has no record of a training for this task" in caplog.text


@pytest.mark.parametrize(
    ("task", "word", "file"),
    [
        ("token_classification", "ner", "words.jsonl"),
        ("question_answering", "qa", "qa.json"),
        ("masked_language_modeling", "mlm", "texts.txt"),
    ],
)
def test_other_tasks_by_sparsemls_words(task, word, file, run, files, tmp_path):
    flags = {"doc_stride": 4} if task == "question_answering" else {}
    run(task, train_file=files / file, validation_file=files / file, output_dir=tmp_path / "m", do_eval=None, **flags)
    target = export_words("--task", word, "--model_path", tmp_path / "m")
    assert (target / "model.onnx").is_file()
    assert (target / "labels.json").exists() == (word == "ner")


def test_no_convert_qat_is_explained(quantized, caplog):
    export_words("--task", "text_classification", "--model_path", quantized, "--no_convert_qat")
    assert "--no_convert_qat has no effect" in caplog.text


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (["--model_path", "m"], "--task"),
        (["--task", "qa"], "--model_path"),
        (
            ["--task", "text-clasification", "--model_path", "m"],
            "--task",
        ),
        (["--task", "text-generation", "--model_path", "m"], "--task"),
        (["--task", "qa", "--model_path", "m", "--opset", "20"], "--opset"),
        (["--task", "qa", "--model_path", "m", "--weight_type", "int4"], "--weight_type"),
        (
            ["--task", "qa", "--model_path", "m", "--sequence-length", "4"],
            "--sequence_length",
        ),
        (
            ["--task", "qa", "--model_path", "m", "--onnx_file_name", "../m.onnx"],
            "--onnx_file_name",
        ),
        (["--task", "qa", "--model_path", "m", "--onnx_file_name", "m.bin"], "--onnx_file_name"),
        (["--task", "qa", "--model_path", "m", "--num_export_samples", "2"], "--num_export_samples"),
        (
            ["--task", "qa", "--model_path", "m", "--num_export_samples", "-2"],
            "--num_export_samples",
        ),
        (["--task", "qa", "--model_path", "m", "--one_shot", "r.yaml"], "--one_shot"),
        (["--task", "qa", "--model_path", "m", "--trust_remote_code"], "--trust_remote_code"),
        (["--task", "qa", "--model_pth", "m"], "--model_pth"),
    ],
)
def test_mistakes(words, setting):
    with pytest.raises(ConfigError) as caught:
        parse_export(words)
    assert caught.value.setting == setting


def test_mistakes_that_the_model_or_the_data_shows(classifier, model, tmp_path, files):
    with pytest.raises(ModelError) as caught:
        export_words("--task", "qa", "--model_path", tmp_path / "none")
    assert caught.value.setting == "--model_path"
    with pytest.raises(ModelError) as caught:
        export_words("--task", "qa", "--model_path", classifier)
    assert caught.value.setting == "--model_path"
    for flag, value in (("--sequence_length", 64), ("--data_args", "[")):
        with pytest.raises(ConfigError) as caught:
            export_words("--task", "glue", "--model_path", classifier, flag, value)
        assert caught.value.setting == flag
    with pytest.raises(ConfigError) as caught:
        export_words("--task", "glue", "--model_path", classifier, "--data_args", '{"train_fil": "x"}')
    assert caught.value.setting == "--train_fil"
    missing = json.dumps({"train_file": str(tmp_path / "x.csv"), "validation_file": str(files / "train.csv")})
    with pytest.raises(DataError) as caught:
        export_words("--task", "glue", "--model_path", classifier, "--data_args", missing)
    assert caught.value.setting == "train_file"
    assert not (tmp_path / "deployment").exists()


def test_rows_of_a_sorted_file_are_compared_from_both_ends(classifier, tmp_path, monkeypatch):
    rows = ["text,label", *("word1 bad,neg" for _ in range(1100)), *("word2 good,pos" for _ in range(100))]
    (tmp_path / "sorted.csv").write_text("\n".join(rows) + "\n")
    compared = {}

    def spy(network, path, task, rows, *rest, **options):
        compared["labels"] = rows["labels"][:]
        return verify(network, path, task, rows, *rest, **options)

    monkeypatch.setattr(job, "verify", spy)
    data = json.dumps(dict.fromkeys(("train_file", "validation_file"), str(tmp_path / "sorted.csv")))
    export_words("--task", "glue", "--model_path", classifier, "--data_args", data)
    assert (len(compared["labels"]), sum(compared["labels"])) == (1000, 83), "a twelfth has the second label"
