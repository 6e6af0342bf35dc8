from __future__ import annotations

import json

import pytest

from sparse_core.cli.main import main

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


def test_check_of_a_recipe_that_does_not_fit_fails(model, tmp_path, capsys):
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "modifiers:\n  - !EpochRangeModifier\n    start_epoch: 0\n    end_epoch: 1\n"
        "  - !ConstantPruningModifier\n    params: ['nothing.weight']\n"
    )
    with pytest.raises(SystemExit) as exit_info:
        main(["recipe", "check", str(recipe), "--model", str(model)])
    assert exit_info.value.code == 1
    captured = capsys.readouterr()
    assert "nothing.weight" in captured.out
    assert "cannot run on" in captured.err


def test_check_names_a_model_without_config(tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["recipe", "check", "dense/base", "--model", str(tmp_path / "none")])
    assert "--model" in capsys.readouterr().err
