"""Loading models: which heads are kept, made new, or refused."""

from __future__ import annotations

import json
import logging

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from sparse_core.errors import ModelError
from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization, quantization_of, set_phase
from sparse_core.modifiers.quantization.settings import QuantizationSettings
from sparse_core.tasks import DatasetSchema, get_task
from sparse_core.tasks.heads import label_names, load_with_head
from tests.unit.tasks.conftest import make_model

TASK = get_task("text_classification")


def schema_of(*label_names):
    return DatasetSchema("text_classification", {}, list(label_names), {})


BINARY = schema_of("0", "1")
FOUR_LABELS = schema_of("a", "b", "c", "d")
FOUR_LABELS_TASK = get_task("text_classification", {"problem_type": "multi_label_classification"})


def change_weights(directory, change):
    weights = load_file(directory / "model.safetensors")
    save_file(change(weights), directory / "model.safetensors", metadata={"format": "pt"})


def test_an_encoder_gets_a_head_for_the_labels(encoder, caplog, capfd):
    model = TASK.load_model(encoder, schema_of("anger", "joy", "sadness"))
    assert model.dtype == torch.float32 and not model.training
    assert model.classifier.weight.shape == (3, 8)
    assert model.config.id2label == {0: "anger", 1: "joy", 2: "sadness"}
    assert model.config.label2id == {"anger": 0, "joy": 1, "sadness": 2}
    assert model.config.problem_type == "single_label_classification"
    expected = load_file(encoder / "model.safetensors")["encoder.layer.0.output.dense.weight"]
    assert torch.equal(model.bert.encoder.layer[0].output.dense.weight, expected)
    assert caplog.records == [] and capfd.readouterr() == ("", "")


def test_a_head_for_texts_is_none_for_tokens_though_its_weights_have_the_same_names(tmp_path):
    config = transformers.BertConfig(vocab_size=12, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                                     intermediate_size=16, num_labels=2)  # fmt: skip
    transformers.BertForSequenceClassification(config).save_pretrained(tmp_path / "texts")
    schema = DatasetSchema("token_classification", {}, ["0", "1"], {})
    tokens = get_task("token_classification")
    with pytest.raises(ModelError) as caught:
        tokens.load_model(tmp_path / "texts", schema, trained_head=True)
    assert caught.value.setting == "model"
    assert tokens.load_model(tmp_path / "texts", schema).num_labels == 2  # to be trained


def test_the_seed_decides_the_new_head(encoder):
    heads = []
    for seed in (1, 1, 2):
        transformers.set_seed(seed)
        heads.append(TASK.load_model(encoder, BINARY).classifier.weight)
    assert torch.equal(heads[0], heads[1])
    assert not torch.equal(heads[0], heads[2])


@pytest.mark.parametrize(
    ("config", "bias"),
    [
        (transformers.BertConfig, "classifier.bias"),
        (transformers.RobertaConfig, "classifier.out_proj.bias"),
        (transformers.DistilBertConfig, "classifier.bias"),
        (transformers.AlbertConfig, "classifier.bias"),
        (transformers.ElectraConfig, "classifier.out_proj.bias"),
        (transformers.MPNetConfig, "classifier.out_proj.bias"),
        (transformers.DebertaV2Config, "classifier.bias"),
        (transformers.ModernBertConfig, "classifier.bias"),
    ],
)
def test_a_new_head_for_several_labels_starts_at_one_label_a_row(tmp_path, config, bias):
    names = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    if config is transformers.DistilBertConfig:
        names = {"dim": 8, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}
    special = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    transformers.AutoModel.from_config(config(vocab_size=12, **special, **names)).save_pretrained(tmp_path)
    model = FOUR_LABELS_TASK.load_model(tmp_path, FOUR_LABELS)
    others = {name: value for name, value in model.named_parameters() if name.endswith(".bias") and name != bias}
    assert model.get_parameter(bias).tolist() == pytest.approx([-1.3862944] * 4)  # -ln 4
    assert not any((value == model.get_parameter(bias)[0]).any() for value in others.values())


def test_heads_for_one_class_and_trained_heads_keep_their_biases(encoder, tmp_path):
    assert TASK.load_model(encoder, BINARY).classifier.bias.tolist() == [0.0, 0.0]
    model = FOUR_LABELS_TASK.load_model(encoder, FOUR_LABELS)
    torch.nn.init.constant_(model.classifier.bias, 0.25)
    model.save_pretrained(tmp_path / "trained")
    without_names = FOUR_LABELS_TASK.load_model(tmp_path / "trained", schema_of())
    assert without_names.classifier.bias.tolist() == [0.25] * 4
    assert FOUR_LABELS_TASK.load_model(tmp_path / "trained", FOUR_LABELS).classifier.bias.tolist() == [0.25] * 4


def test_half_precision_weights_become_float32(encoder):
    change_weights(encoder, lambda weights: {name: weight.to(torch.bfloat16) for name, weight in weights.items()})
    config = json.loads((encoder / "config.json").read_text())
    (encoder / "config.json").write_text(json.dumps({**config, "dtype": "bfloat16"}))
    assert TASK.load_model(encoder, BINARY).dtype == torch.float32


def test_a_masked_language_model_has_no_pooler_and_gets_one(tmp_path):
    directory = make_model(tmp_path / "mlm", model_class=transformers.BertForMaskedLM)
    model = TASK.load_model(directory, BINARY)
    assert torch.isfinite(model.bert.pooler.dense.weight).all()


@pytest.mark.parametrize("trained_head", [True, False])
def test_a_head_for_the_same_labels_is_kept(tmp_path, trained_head):
    directory = make_model(tmp_path / "classifier", labels=["negative", "positive"])
    model = TASK.load_model(directory, schema_of("negative", "positive"), trained_head=trained_head)
    assert torch.equal(model.classifier.weight, load_file(directory / "model.safetensors")["classifier.weight"])


def test_a_head_of_another_size_is_made_new_for_training_and_said(tmp_path, caplog):
    directory = make_model(tmp_path / "mnli", labels=["entailment", "neutral", "contradiction"])
    with caplog.at_level(logging.WARNING):
        model = TASK.load_model(directory, BINARY)
    assert model.classifier.weight.shape == (2, 8) and torch.isfinite(model.classifier.weight).all()
    assert [record.getMessage() for record in caplog.records] == [
        f"the head of {directory} is for 3 labels (entailment, neutral, contradiction), the data "
        "has 2 (0, 1); a new head takes its place"
    ]


def test_a_teacher_for_another_number_of_labels_is_refused(tmp_path):
    directory = make_model(tmp_path / "mnli", labels=["entailment", "neutral", "contradiction"])
    with pytest.raises(ModelError) as caught:
        TASK.load_model(directory, BINARY, trained_head=True)
    assert caught.value.setting == "model"


REGRESSION = get_task("text_classification", {"problem_type": "regression"})


def test_a_task_without_labels_keeps_the_names_of_the_model(tmp_path):
    directory = make_model(tmp_path / "mlm", model_class=transformers.BertForMaskedLM)
    model = load_with_head(transformers.AutoModelForMaskedLM, directory, schema_of(), trained_head=True)
    assert model.config.id2label == {0: "LABEL_0", 1: "LABEL_1"}
    assert "problem_type" not in model.config.to_diff_dict()


def test_a_number_needs_one_output(encoder, tmp_path):
    model = REGRESSION.load_model(encoder, schema_of())
    assert model.classifier.weight.shape == (1, 8) and model.config.problem_type == "regression"
    model.save_pretrained(tmp_path / "regression")
    again = REGRESSION.load_model(tmp_path / "regression", schema_of(), trained_head=True)
    assert torch.equal(again.classifier.weight, model.classifier.weight)


def test_a_head_of_another_shape_without_labels(tmp_path, caplog):
    directory = make_model(tmp_path / "classes", labels=["a", "b", "c"])
    with pytest.raises(ModelError) as caught:
        REGRESSION.load_model(directory, schema_of(), trained_head=True)
    assert caught.value.setting == "model"
    with caplog.at_level(logging.WARNING):
        assert REGRESSION.load_model(directory, schema_of()).classifier.weight.shape == (1, 8)
    assert "another shape" in caplog.text and caplog.text.rstrip().endswith("a new head takes its place")


def test_a_teacher_without_a_trained_head_is_refused(encoder):
    with pytest.raises(ModelError) as caught:
        TASK.load_model(encoder, BINARY, trained_head=True)
    assert caught.value.setting == "model"


@pytest.mark.parametrize("names", [("positive", "negative"), ("no", "yes")])
def test_a_teacher_for_other_labels_or_another_order_is_refused(tmp_path, names):
    directory = make_model(tmp_path / "classifier", labels=["negative", "positive"])
    with pytest.raises(
        ModelError, match=rf"predicts the labels negative, positive, but the data has {', '.join(names)}"
    ):
        TASK.load_model(directory, schema_of(*names), trained_head=True)


@pytest.mark.parametrize(("own", "data"), [(["LABEL_0", "LABEL_1"], ["no", "yes"]), (["no", "yes"], ["0", "1"])])
def test_placeholder_names_say_nothing_against_a_teacher(tmp_path, own, data):
    directory = make_model(tmp_path / "classifier", labels=own)
    model = TASK.load_model(directory, schema_of(*data), trained_head=True)
    assert list(model.config.id2label.values()) == data


def test_weights_that_do_not_belong_to_the_config(encoder):
    change_weights(encoder, lambda weights: {k: v for k, v in weights.items() if "encoder.layer.0.output" not in k})
    with pytest.raises(ModelError) as caught:
        TASK.load_model(encoder, BINARY)
    assert caught.value.setting == "model"


def test_an_encoder_of_another_size_than_its_config(encoder):
    config = json.loads((encoder / "config.json").read_text())
    (encoder / "config.json").write_text(json.dumps({**config, "intermediate_size": 32}))
    with pytest.raises(ModelError) as caught:
        TASK.load_model(encoder, BINARY)
    assert caught.value.setting == "model"


@pytest.mark.parametrize("model_type", [pytest.param("whisper", marks=pytest.mark.slow), "no_such_architecture"])
def test_an_architecture_without_such_a_head(encoder, model_type):
    config = json.loads((encoder / "config.json").read_text())
    (encoder / "config.json").write_text(json.dumps({**config, "model_type": model_type}))
    with pytest.raises(ModelError) as caught:
        TASK.load_model(encoder, BINARY)
    assert caught.value.setting == "model"


def test_files_are_checked_before_anything_is_loaded(tmp_path):
    with pytest.raises(ModelError) as caught:
        TASK.load_model(tmp_path / "nowhere", BINARY)
    assert caught.value.setting == "model"


def test_a_quantized_checkpoint_comes_back_quantized_with_equal_logits(encoder, tmp_path):
    model = TASK.load_model(encoder, BINARY)
    apply_quantization(model, QuantizationSettings())
    batch = {"input_ids": torch.tensor([[2, 5, 3]]), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    model.train()(**batch)
    model.eval().save_pretrained(tmp_path / "quantized")
    again = TASK.load_model(tmp_path / "quantized", BINARY, trained_head=True)
    assert quantization_of(again) is not None
    assert torch.equal(again(**batch).logits, model(**batch).logits)


def with_problem_type(directory, problem_type):
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**config, "problem_type": problem_type}))
    return directory


def test_a_head_whose_outputs_mean_something_else_is_no_trained_head(tmp_path):
    task = get_task("text_classification", {"problem_type": "multi_label_classification", "num_labels": 2})
    directory = with_problem_type(make_model(tmp_path / "model", labels=["0", "1"]), "single_label_classification")
    with pytest.raises(ModelError) as caught:
        task.load_model(directory, BINARY, trained_head=True)
    assert caught.value.setting == "model"
    assert task.load_model(directory, BINARY).config.problem_type == "multi_label_classification"
    with_problem_type(directory, None)
    assert task.load_model(directory, BINARY, trained_head=True).config.problem_type == "multi_label_classification"


@pytest.mark.parametrize("names", [("0", "1", "2"), ("0", "1")])
def test_only_a_new_head_of_a_quantized_model_gets_new_ranges_that_move(names, tmp_path):
    model = TASK.load_model(make_model(tmp_path / "model", labels=["0", "1"]), BINARY)
    apply_quantization(model, QuantizationSettings(quantize_linear_activations=True))
    with torch.no_grad():
        model.classifier.weight *= 1e-3
    model.train()(input_ids=torch.tensor([[2, 5, 3]]))
    set_phase(model, "frozen")
    model.eval().save_pretrained(tmp_path / "model")
    again = TASK.load_model(tmp_path / "model", schema_of(*names))
    classifier, is_new = again.classifier, len(names) == 3
    assert classifier.output_fake_quant.is_observed is not is_new
    assert classifier.weight_fake_quant.is_consistent and classifier.weight_fake_quant.observing is is_new
    largest = max(-classifier.weight_fake_quant.min_val, classifier.weight_fake_quant.max_val)
    assert largest == classifier.weight.abs().max()
    assert quantization_of(again).phase == ("observing" if is_new else "frozen")
    assert again.bert.pooler.dense.input_fake_quant.is_observed


def test_labels_come_in_the_order_of_the_logits():
    listed = {str(index): f"name {index}" for index in sorted(range(12), key=str)}
    assert list(listed)[:4] == ["0", "1", "10", "11"]
    assert label_names(transformers.BertConfig(id2label=listed)) == [f"name {index}" for index in range(12)]
