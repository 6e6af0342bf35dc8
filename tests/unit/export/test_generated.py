"""The comparison on made-up tokens: what a graph misses is a share of what the outputs owe to the input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models

from sparse_core.errors import ExportError
from sparse_core.export import generated
from sparse_core.export.generated import _batches, _columns, _Comparison, compare_on_generated
from sparse_core.export.onnx import export_model, model_inputs
from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization
from sparse_core.modifiers.quantization.settings import QuantizationSettings
from sparse_core.tasks import get_task

TASK = get_task("text_classification")
SPANS = get_task("question_answering")
NAMES = ("input_ids", "attention_mask", "token_type_ids")


def make_tokenizer(names=NAMES):
    vocabulary = {token: index for index, token in enumerate(["[PAD]", "[CLS]", *(f"w{n}" for n in range(38))])}
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="[PAD]")),
        pad_token="[PAD]",
        cls_token="[CLS]",
        model_input_names=list(names),
    )


def make_bert(model_class=transformers.BertForSequenceClassification, **config):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    model = model_class(transformers.BertConfig(vocab_size=40, max_position_embeddings=16, **sizes, **config))
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(std=0.3)
    return model.eval()


def exported(model, path, names=NAMES):
    export_model(model, path, input_names=[name for name in model_inputs(model) if name in names])
    return path


def in_place_of_onnx(monkeypatch, change):
    """Every session gives `change` of the outputs that the graph has."""
    forward = generated.session_forward
    monkeypatch.setattr(
        generated,
        "session_forward",
        lambda session: lambda inputs: {name: change(x) for name, x in forward(session)(inputs).items()},
    )


def test_the_share_is_of_the_spread_of_each_column_over_rows():
    """Logits of +-(3 + 0.3 x), x of -1 and 1: their standard deviation over rows is 0.3, over all of them 3.01."""
    logits = np.array([[2.7, -2.7], [3.3, -3.3], [3.3, -3.3], [2.7, -2.7]], dtype=np.float32)
    for found, share in (([3.0, -3.0], 1.0), ([3.0, -3.0] + 0.5 * (logits - [3.0, -3.0]), 0.5), (logits + 0.03, 0.1)):
        comparison = _Comparison()
        found = np.broadcast_to(np.float32(found), logits.shape)
        comparison.add(logits[:1], found[:1])
        comparison.add(logits[1:], found[1:])
        assert comparison.relative_difference() == pytest.approx(share, rel=1e-4)


@pytest.mark.parametrize(("found", "smallest", "largest"), [(3.0, 0.0, 0.0), (3.000003, 0.005, 0.02), (3.1, 100, 1000)])
def test_rounding_of_outputs_that_never_change_is_no_difference(found, smallest, largest):
    comparison = _Comparison()
    comparison.add(np.full((4, 2), 3.0, np.float32), np.full((4, 2), found, np.float32))
    assert smallest <= comparison.relative_difference() <= largest


def test_a_value_that_is_no_number_is_no_agreement():
    comparison = _Comparison()
    comparison.add(np.ones((2, 1), np.float32), np.array([[1.0], [np.nan]], np.float32))
    assert np.isnan(comparison.relative_difference())


def test_columns_are_those_of_rows_or_of_tokens_without_padding():
    mask = np.array([[1, 1], [1, 0]])
    assert _columns("logits", np.zeros((2, 2), np.float32), mask).shape == (2, 2)  # as many classes as tokens
    assert _columns("logits", np.zeros((2, 2, 5), np.float32), mask).shape == (3, 5)
    spans = _columns("start_logits", np.array([[1, 2], [3, 9]], np.float32), mask)
    assert spans.tolist() == [[1], [2], [3]]


@pytest.mark.parametrize("task", [TASK, SPANS])
def test_a_graph_that_ignores_its_input_is_refused(task, tmp_path, monkeypatch):
    is_spans = task is SPANS
    model = make_bert(transformers.BertForQuestionAnswering if is_spans else transformers.BertForSequenceClassification)
    if not is_spans:  # the classes lie far apart in every row
        with torch.no_grad():
            model.classifier.bias += torch.tensor([30.0, -30.0])
    path = exported(model, tmp_path / "model.onnx")
    assert max(compare_on_generated(model, path, task, make_tokenizer(), 16).values()) < 1e-5
    in_place_of_onnx(monkeypatch, lambda x: x * 0 + x.mean(axis=0))
    with pytest.raises(ExportError) as caught:
        compare_on_generated(model, path, task, make_tokenizer(), 16)
    assert caught.value.setting == "model"


def test_an_output_that_is_off_is_seen_beside_one_that_is_large(tmp_path, monkeypatch):
    model = make_bert(transformers.BertForQuestionAnswering)
    with torch.no_grad():
        model.qa_outputs.weight[0] *= 1000
    path = exported(model, tmp_path / "model.onnx")
    forward = generated.session_forward
    off = lambda outputs: {**outputs, "end_logits": outputs["end_logits"] * 1.2}  # noqa: E731
    monkeypatch.setattr(generated, "session_forward", lambda session: lambda inputs: off(forward(session)(inputs)))
    with pytest.raises(ExportError) as caught:
        compare_on_generated(model, path, SPANS, make_tokenizer(), 16)
    assert caught.value.setting == "model"


def test_segments_are_compared_where_the_model_reads_them(tmp_path):
    model = make_bert()
    path = exported(model, tmp_path / "model.onnx")
    compare_on_generated(model, path, TASK, make_tokenizer(), 16)
    table = model.bert.embeddings.token_type_embeddings.weight
    with torch.no_grad():
        table[1] = -table[1]  # no longer what the graph has
    with pytest.raises(ExportError) as caught:
        compare_on_generated(model, path, TASK, make_tokenizer(), 16)
    assert caught.value.setting == "model"


def test_a_graph_without_segments_has_all_in_the_first(tmp_path):
    model = make_bert()
    path = exported(model, tmp_path / "model.onnx", NAMES[:2])
    assert max(compare_on_generated(model, path, TASK, make_tokenizer(NAMES[:2]), 16).values()) < 1e-5
    without = make_bert(type_vocab_size=1)
    path = exported(without, tmp_path / "without.onnx")
    assert max(compare_on_generated(without, path, TASK, make_tokenizer(), 16).values()) < 1e-5


def test_batches_have_every_length_ordinary_tokens_and_segments():
    batches = list(_batches(make_tokenizer(), 16, num_segments=2))
    assert [batch["input_ids"].shape for batch in batches] == [(4, length) for length in range(2, 17, 2)]
    for batch in batches:
        mask, ids, segments = batch["attention_mask"], batch["input_ids"], batch["token_type_ids"]
        assert mask[0].all() and (ids[mask == 1] > 1).all() and not ids[mask == 0].any()
        assert not segments[mask == 0].any() and {x.dtype for x in batch.values()} == {np.dtype("int64")}
    assert set(np.concatenate([batch["token_type_ids"].ravel() for batch in batches])) == {0, 1}
    assert not any(batch["token_type_ids"].any() for batch in _batches(make_tokenizer(), 16, num_segments=1))


@pytest.fixture(scope="module")
def quantized(tmp_path_factory):
    model = make_bert()
    apply_quantization(model, QuantizationSettings())
    model.train()
    for batch in _batches(make_tokenizer(), 16, num_segments=2):
        model(**{name: torch.from_numpy(x) for name, x in batch.items()})
    path = tmp_path_factory.mktemp("quantized") / "model.onnx"
    return model.eval(), exported(model, path)


def test_a_quantized_model_passes_within_its_own_rounding(quantized, monkeypatch):
    model, path = quantized
    compare_on_generated(model, path, TASK, make_tokenizer(), 16)
    noise = np.random.default_rng(0)
    in_place_of_onnx(monkeypatch, lambda x: x + (0.1 * x.std(axis=0) * noise.standard_normal(x.shape)).astype("f"))
    with pytest.raises(ExportError) as caught:
        compare_on_generated(model, path, TASK, make_tokenizer(), 16)
    assert caught.value.setting == "model"
    # a model in which rounding alone does more
    other = lambda x: x + (0.1 * x.std(axis=0) * noise.standard_normal(x.shape)).astype("f")  # noqa: E731
    forward = generated.rounded_forward(model, TASK)
    monkeypatch.setattr(
        generated, "rounded_forward", lambda *_: lambda inputs: {"logits": other(forward(inputs)["logits"])}
    )
    assert 0.05 < compare_on_generated(model, path, TASK, make_tokenizer(), 16)["optimized"] < 0.2


def test_rounding_excuses_no_graph_that_ignores_its_input(quantized, monkeypatch):
    model, path = quantized
    constant = lambda inputs: {"logits": np.zeros((len(inputs["input_ids"]), 2), np.float32)}  # noqa: E731
    monkeypatch.setattr(generated, "rounded_forward", lambda *_: constant)
    in_place_of_onnx(monkeypatch, lambda x: x * 0 + x.mean(axis=0))
    with pytest.raises(ExportError) as caught:
        compare_on_generated(model, path, TASK, make_tokenizer(), 16)
    assert caught.value.setting == "model"
