from __future__ import annotations

import json

import pytest

from sparse_core.cli.main import main
from sparse_core.modifiers.quantization.settings import QUANT_METHOD

CONFIG = {
    "model_type": "bert",
    "architectures": ["BertForSequenceClassification"],
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": 40,
}


@pytest.fixture
def model(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    return tmp_path


def recipe_for(directory, parameter):
    """A recipe file that prunes one parameter."""
    path = directory / "r.yaml"
    path.write_text(
        "modifiers:\n  - !EpochRangeModifier {start_epoch: 0, end_epoch: 1}\n"
        f"  - !ConstantPruningModifier {{params: ['{parameter}']}}\n"
    )
    return str(path)


def test_list_prints_the_built_in_names(capsys):
    main(["recipe", "list"])
    assert {"sst2/pruned90_quant", "dense/base", "sparsify/gradual_quant"} <= set(capsys.readouterr().out.split())


def test_show_resolves_the_overrides(capsys):
    main(["recipe", "show", "dense/base", "--recipe-args", '{"num_epochs": 3}'])
    text = capsys.readouterr().out
    assert "LearningRateFunctionModifier" in text and "3" in text


def test_show_draws_the_timeline(tmp_path, capsys):
    main(["recipe", "show", "sst2/pruned90_quant", "--timeline", str(tmp_path / "t.svg")])
    assert (tmp_path / "t.svg").read_text().lstrip().startswith("<svg")
    assert str(tmp_path / "t.svg") in capsys.readouterr().out


def test_a_timeline_that_cannot_be_written_is_named(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["recipe", "show", "dense/base", "--timeline", str(tmp_path / "none" / "t.svg")])
    assert "--timeline" in capsys.readouterr().err


def test_check_needs_no_weights(model, capsys):
    main(["recipe", "check", "sst2/pruned90_quant", "--model", str(model)])
    assert "bert.encoder.layer.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("architecture", "head"),
    [
        ("BertForSequenceClassification", "classifier.weight"),
        ("BertForTokenClassification", "classifier.weight"),
        ("BertForQuestionAnswering", "qa_outputs.weight"),
        ("BertForMaskedLM", "classifier.weight"),
        ("BertModel", "classifier.weight"),
        (None, "classifier.weight"),
    ],
)
def test_check_gives_the_model_the_head_that_training_gives_it(model, capsys, architecture, head):
    (model / "config.json").write_text(json.dumps(CONFIG | {"architectures": [architecture] if architecture else None}))
    with pytest.raises(SystemExit):
        main(["recipe", "check", recipe_for(model, "nothing"), "--model", str(model)])
    assert "nothing" in capsys.readouterr().out
    main(["recipe", "check", recipe_for(model, head), "--model", str(model)])
    assert head in capsys.readouterr().out


@pytest.mark.parametrize(
    ("task", "head"),
    [
        ("text_classification", "classifier.weight"),
        ("token_classification", "classifier.weight"),
        ("question_answering", "qa_outputs.weight"),
        ("masked_language_modeling", "cls.predictions.transform.dense.weight"),
    ],
)
def test_check_for_a_task(model, capsys, task, head):
    main(["recipe", "check", recipe_for(model, head), "--model", str(model), "--task", task])
    assert head in capsys.readouterr().out


def test_check_for_a_task_that_does_not_exist(model, capsys):
    with pytest.raises(SystemExit):
        main(["recipe", "check", "dense/base", "--model", str(model), "--task", "question_answring"])
    assert "question_answering" in capsys.readouterr().err


def test_check_of_a_quantized_model(model, capsys):
    quantization = {"quant_method": QUANT_METHOD, "weight_bits": 7}
    (model / "config.json").write_text(json.dumps(CONFIG | {"quantization_config": quantization}))
    main(["recipe", "check", "sst2/pruned90_quant", "--model", str(model)])
    assert "bert.encoder.layer.0" in capsys.readouterr().out


def test_stubs_stand_for_recipe_and_model(model, monkeypatch, capsys):
    stub = "nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none"
    place = model / "mirror" / stub / "training"
    place.mkdir(parents=True)
    (place / "config.json").write_text((model / "config.json").read_text())
    monkeypatch.setenv("SPARSE_CORE_ZOO_MIRROR", str(model / "mirror"))
    main(["recipe", "show", f"zoo:{stub}?recipe_type=transfer-question_answering"])
    assert capsys.readouterr().out.startswith("squad/pruned90_quant: 13 epochs")
    main(["recipe", "check", f"zoo:{stub}?recipe_type=transfer-mnli", "--model", f"zoo:{stub}"])
    assert "bert.encoder.layer.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    "content",
    ["{", '{"model_type": "nothing"}', '{"model_type": "bert", "auto_map": {}}', '{"model_type": "t5gemma2_encoder"}'],
)
def test_check_names_a_config_that_cannot_be_used(model, capsys, content):
    (model / "config.json").write_text(content)
    with pytest.raises(SystemExit):
        main(["recipe", "check", "dense/base", "--model", str(model)])
    assert capsys.readouterr().err.startswith("error: --model: ")


def test_check_of_a_recipe_that_does_not_fit_fails(model, tmp_path, capsys):
    recipe = recipe_for(tmp_path, "nothing.weight")
    with pytest.raises(SystemExit) as exit_info:
        main(["recipe", "check", recipe, "--model", str(model)])
    assert exit_info.value.code == 1
    captured = capsys.readouterr()
    assert "nothing.weight" in captured.out
    assert "cannot run on" in captured.err


def test_check_names_a_model_without_config(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["recipe", "check", "dense/base", "--model", str(tmp_path / "none")])
    assert "--model" in capsys.readouterr().err
