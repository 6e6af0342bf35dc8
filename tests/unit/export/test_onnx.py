from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers
from onnx import numpy_helper
from transformers import (
    BertForMaskedLM,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from sparse_core.errors import ConfigError, ExportError
from sparse_core.export import onnx as export_onnx
from sparse_core.export.int8_modules import UINT8_ZERO_POINT
from sparse_core.export.onnx import export_model, model_inputs
from sparse_core.export.sessions import open_session
from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization
from sparse_core.modifiers.quantization.modules import QuantEmbedding, QuantLinear
from sparse_core.modifiers.quantization.settings import QuantizationSettings

MakeModel = Callable[..., PreTrainedModel]
SHAPES = ((2, 16), (1, 1), (1, 7), (5, 33), (3, 64))
VOCAB_SIZE = 60

FLOAT_TOLERANCE = 1e-4
"""Largest difference of a float logit of magnitude up to 10: rounding in another order of summation."""
ROUNDING_TOLERANCE = 0.05
"""Largest difference of an int8 logit relative to the largest: a value on the edge of two codes may take the other."""


def inputs_of(shape: tuple[int, int]) -> dict[str, torch.Tensor]:
    input_ids = torch.randint(3, VOCAB_SIZE, shape)
    attention_mask = torch.ones_like(input_ids)
    attention_mask[0, shape[1] // 2 + 1 :] = 0
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "token_type_ids": torch.randint(0, 2, shape),
    }


@torch.no_grad()
def largest_difference(model: PreTrainedModel, path: Path, *, optimized: bool) -> tuple[float, float]:
    """Largest difference between torch and ONNX Runtime over SHAPES, and the largest magnitude of an output."""
    session = open_session(path, optimized=optimized)
    difference = magnitude = 0.0
    for shape in SHAPES:
        inputs = {name: value for name, value in inputs_of(shape).items() if name in model_inputs(model)}
        expected = model(**inputs)
        names = [output.name for output in session.get_outputs()]
        for name, found in zip(names, session.run(names, {k: v.numpy() for k, v in inputs.items()}), strict=True):
            assert found.shape == tuple(expected[name].shape)
            difference = max(difference, float(np.abs(found - expected[name].numpy()).max()))
            magnitude = max(magnitude, float(expected[name].abs().max()))
    return difference, magnitude


def integer_tensors(path: Path) -> dict[str, np.ndarray]:
    """Matrices of the file that are stored as int8 or uint8, by name."""
    arrays = {entry.name: numpy_helper.to_array(entry) for entry in onnx.load(path).graph.initializer}
    return {name: array for name, array in arrays.items() if array.ndim == 2 and array.dtype.itemsize == 1}


@pytest.mark.parametrize("opset", [13, 14, 17])
@pytest.mark.parametrize(
    "model_class",
    [BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering, BertForMaskedLM],
)
def test_float_model_computes_the_same_in_onnxruntime(
    make_bert: MakeModel, tmp_path: Path, model_class: type[PreTrainedModel], opset: int
) -> None:
    model = make_bert(model_class).eval()
    assert export_model(model, tmp_path / "m.onnx", opset=opset) is None
    for optimized in (True, False):
        assert largest_difference(model, tmp_path / "m.onnx", optimized=optimized)[0] < FLOAT_TOLERANCE


@pytest.mark.parametrize("opset", [13, 14, 17])
@pytest.mark.parametrize(
    "model_class",
    [BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering, BertForMaskedLM],
)
def test_quantized_model_computes_the_same_in_onnxruntime(
    make_quantized: MakeModel, tmp_path: Path, model_class: type[PreTrainedModel], opset: int
) -> None:
    model = make_quantized(model_class)
    assert export_model(model, tmp_path / "m.onnx", opset=opset) == "int8"
    for optimized in (True, False):
        difference, magnitude = largest_difference(model, tmp_path / "m.onnx", optimized=optimized)
        assert difference < ROUNDING_TOLERANCE * magnitude


@pytest.mark.parametrize(
    "settings",
    [
        {"weight_bits": 8},
        {"quantize_attention": False},
        {"quantize_embeddings": False},
        {"quantize_linear_activations": True},
        {"submodules": ("bert.encoder",)},
    ],
)
def test_every_kind_of_quantization_exports(
    make_quantized: MakeModel, tmp_path: Path, settings: dict[str, Any]
) -> None:
    model = make_quantized(**settings)
    export_model(model, tmp_path / "m.onnx")
    difference, magnitude = largest_difference(model, tmp_path / "m.onnx", optimized=False)
    assert difference < ROUNDING_TOLERANCE * magnitude


@pytest.mark.parametrize(
    "make",
    [
        lambda: DistilBertForSequenceClassification(
            DistilBertConfig(dim=32, n_layers=1, n_heads=2, hidden_dim=32, vocab_size=60, max_position_embeddings=64)
        ),
        lambda: RobertaForSequenceClassification(
            RobertaConfig(
                hidden_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                intermediate_size=32,
                vocab_size=60,
                max_position_embeddings=66,
                type_vocab_size=1,
            )
        ),
    ],
)
def test_models_without_token_types_have_two_inputs(make: Callable[[], PreTrainedModel], tmp_path: Path) -> None:
    model = make()
    apply_quantization(model, QuantizationSettings())
    model.train()(input_ids=torch.randint(3, VOCAB_SIZE, (4, 20)))
    model.eval()
    assert model_inputs(model) == ["input_ids", "attention_mask"]
    export_model(model, tmp_path / "m.onnx")
    difference, magnitude = largest_difference(model, tmp_path / "m.onnx", optimized=False)
    assert difference < ROUNDING_TOLERANCE * magnitude


DEBERTA = {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0,
           "norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "config", "opset"),
    [
        ("DebertaV2ForSequenceClassification", {**DEBERTA, "share_att_key": False}, 13),
        ("DebertaV2ForSequenceClassification", {**DEBERTA, "conv_kernel_size": 3, "position_buckets": -1}, 17),
        ("DebertaV2ForSequenceClassification", {}, 14),  # without relative positions
        ("DebertaV2ForMaskedLM", {**DEBERTA, "legacy": False}, 14),  # reads the embedding table past its lookup
        ("ModernBertForSequenceClassification", {"classifier_pooling": "mean", "local_attention": 8}, 13),
        ("ModernBertForSequenceClassification", {"local_attention": 8, "global_attn_every_n_layers": 2}, 17),
        ("AlbertForSequenceClassification", {"embedding_size": 16, "num_hidden_groups": 2, "inner_group_num": 2}, 14),
        ("MPNetForSequenceClassification", {}, 17),
        ("BertForMaskedLM", {"tie_word_embeddings": False}, 14),
    ],
)
def test_variants_of_other_architectures_export_without_a_warning(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, name: str, config: dict[str, Any], opset: int
) -> None:
    sizes = {"vocab_size": VOCAB_SIZE, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4,
             "intermediate_size": 48, "max_position_embeddings": 66, "pad_token_id": 1, "bos_token_id": 0,
             "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2, "hidden_dropout_prob": 0.0,
             "attention_probs_dropout_prob": 0.0}  # fmt: skip
    model_class = getattr(transformers, name)
    model = model_class(model_class.config_class(**{**sizes, **config}))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.2)
    apply_quantization(model, QuantizationSettings())
    for _ in range(3):
        model.train()(input_ids=torch.randint(3, VOCAB_SIZE, (4, 20)))
    model.eval()
    recwarn.clear()
    export_model(model, tmp_path / "m.onnx", opset=opset)
    assert [str(warning.message) for warning in recwarn] == []
    for optimized in (True, False):
        difference, magnitude = largest_difference(model, tmp_path / "m.onnx", optimized=optimized)
        assert difference < ROUNDING_TOLERANCE * magnitude


@pytest.mark.parametrize(
    ("model_class", "outputs"),
    [
        (BertForSequenceClassification, {"logits": ["batch", 2]}),
        (BertForTokenClassification, {"logits": ["batch", "sequence", 2]}),
        (BertForQuestionAnswering, {"start_logits": ["batch", "sequence"], "end_logits": ["batch", "sequence"]}),
    ],
)
def test_inputs_and_outputs_have_names_and_dynamic_axes(
    make_quantized: MakeModel, tmp_path: Path, model_class: type[PreTrainedModel], outputs: dict[str, list[Any]]
) -> None:
    export_model(make_quantized(model_class), tmp_path / "m.onnx")
    graph = onnx.load(tmp_path / "m.onnx").graph

    def shapes(values: Any) -> dict[str, list[Any]]:
        return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}

    inputs = dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"), ["batch", "sequence"])
    assert shapes(graph.input) == inputs
    assert shapes(graph.output) == outputs


def test_axis_of_the_same_size_as_the_traced_batch_is_not_taken_for_it() -> None:
    assert export_onnx._dynamic_axes(torch.zeros(2, 2), torch.zeros(3, 2)) == {0: "batch"}
    assert export_onnx._dynamic_axes(torch.zeros(2, 8, 8), torch.zeros(3, 11, 8)) == {0: "batch", 1: "sequence"}


def test_every_quantized_weight_is_stored_as_int8(make_quantized: MakeModel, tmp_path: Path) -> None:
    model = make_quantized()
    export_model(model, tmp_path / "m.onnx")
    tensors = integer_tensors(tmp_path / "m.onnx")
    expected = Counter()
    for module in model.modules():
        if isinstance(module, QuantLinear):
            expected[tuple(reversed(module.weight.shape))] += 1
        elif isinstance(module, QuantEmbedding):
            expected[tuple(module.weight.shape)] += 1
    assert Counter(array.shape for array in tensors.values()) == expected
    assert {array.dtype for array in tensors.values()} == {np.dtype("int8")}
    floats = [
        numpy_helper.to_array(entry).size
        for entry in onnx.load(tmp_path / "m.onnx").graph.initializer
        if entry.data_type == onnx.TensorProto.FLOAT
    ]
    assert max(floats) <= 48  # biases and layer norms, no float weight beside its codes


@pytest.mark.parametrize("weight_type", ["int8", "uint8"])
def test_zeros_of_the_weights_are_zeros_of_the_codes(
    make_quantized: MakeModel, tmp_path: Path, weight_type: Any
) -> None:
    model = make_quantized(sparsity=0.9)
    export_model(model, tmp_path / "m.onnx", weight_type=weight_type)
    tensors = integer_tensors(tmp_path / "m.onnx")
    checked = 0
    for name, module in model.named_modules():
        if isinstance(module, QuantLinear) and "encoder" in name:
            codes = tensors[f"model.{name}.codes"].astype(np.int16)
            zeros = codes.T == (UINT8_ZERO_POINT if weight_type == "uint8" else 0)
            weight = module.weight.detach()
            assert zeros[(weight == 0).numpy()].all()
            assert zeros.sum() == (module.weight_fake_quant(weight) == 0).sum().item()
            checked += 1
    assert checked == 12


def test_matmuls_become_integer_kernels_and_shared_inputs_are_quantized_once(
    make_quantized: MakeModel, tmp_path: Path
) -> None:
    import onnxruntime

    export_model(make_quantized(), tmp_path / "m.onnx")
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(tmp_path / "m.onnx"), options, providers=["CPUExecutionProvider"])
    counts = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    # two layers of six Linears and two attention matmuls; the pooler and the classifier are Gemms
    assert counts["MatMulIntegerToFloat"] + counts["QLinearMatMul"] >= 16
    assert counts["MatMul"] + counts["FusedMatMul"] == 0
    # per layer: the input of query, key and value once, attention output, both feed-forward inputs, four operands
    assert counts["QuantizeLinear"] <= 2 * 8 + 2


@pytest.mark.parametrize(
    ("weight_bits", "weight_type", "stored"),
    [(7, "auto", "int8"), (8, "auto", "uint8"), (8, "int8", "int8"), (7, "uint8", "uint8")],
)
def test_weight_type(
    make_quantized: MakeModel, tmp_path: Path, weight_bits: int, weight_type: Any, stored: str
) -> None:
    model = make_quantized(weight_bits=weight_bits)
    assert export_model(model, tmp_path / "m.onnx", weight_type=weight_type) == stored
    codes = integer_tensors(tmp_path / "m.onnx")["model.classifier.codes"]
    assert codes.dtype == np.dtype(stored)


def test_int8_and_uint8_files_hold_the_same_weights(make_quantized: MakeModel, tmp_path: Path) -> None:
    model = make_quantized(weight_bits=8)
    codes = {}
    for stored in ("int8", "uint8"):
        export_model(model, tmp_path / f"{stored}.onnx", weight_type=stored)
        codes[stored] = integer_tensors(tmp_path / f"{stored}.onnx")["model.classifier.codes"].astype(np.int16)
    assert (codes["uint8"] - UINT8_ZERO_POINT == codes["int8"]).all()


def test_forcing_int8_for_eight_bits_warns(
    make_quantized: MakeModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    export_model(make_quantized(weight_bits=8), tmp_path / "m.onnx", weight_type="int8")
    assert "weight_type: int8 with weight_bits 8 can overflow on CPUs without VNNI" in caplog.text


def test_two_products_of_the_largest_codes_fit_sixteen_bits() -> None:
    largest_weight = 2 ** (export_onnx.OVERFLOW_FREE_WEIGHT_BITS - 1)
    assert 2 * 255 * largest_weight <= 2**15 - 1 < 2 * 255 * 2 * largest_weight


@pytest.mark.parametrize("in_features", [64, 257])
def test_largest_codes_do_not_overflow_in_integer_kernels(
    make_bert: MakeModel, tmp_path: Path, in_features: int
) -> None:
    """Every weight at an end of the 7-bit range and every input at 255: the sum of products that saturates first."""
    linear = torch.nn.Linear(in_features, 8)
    torch.nn.init.constant_(linear.weight, 1.0)
    with torch.no_grad():
        linear.weight[::2] = -1.0

    class Head(BertForSequenceClassification):
        def forward(self, input_ids: torch.Tensor, **_: Any) -> Any:  # type: ignore[override]
            from transformers.modeling_outputs import SequenceClassifierOutput

            rows = input_ids[:, :1].float().expand(-1, in_features)
            return SequenceClassifierOutput(logits=self.classifier(rows.unsqueeze(1)))

    model = make_bert(Head)
    model.classifier = linear
    apply_quantization(model, QuantizationSettings(submodules=("classifier",)))
    model.train()(input_ids=torch.tensor([[1]]))
    model.eval()
    linear.weight_fake_quant.scale.mul_(0.5)  # so that a weight of -1 is clipped to the code -64
    assert linear.weight_fake_quant.codes(linear.weight.detach()).unique().tolist() == [-64, 63]
    export_model(model, tmp_path / "m.onnx", input_names=["input_ids"])
    feed = {"input_ids": np.ones((3, 5), dtype=np.int64)}
    optimized, plain = (open_session(tmp_path / "m.onnx", optimized=o).run(None, feed)[0] for o in (True, False))
    np.testing.assert_allclose(optimized, plain, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(plain, model(torch.tensor([[1]])).logits.detach().expand(3, 1, 8), rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_not_changed(make_quantized: MakeModel, tmp_path: Path, training: bool) -> None:
    model = make_quantized().train(training)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    parameters = dict(model.named_parameters())
    modules = {name: type(module) for name, module in model.named_modules()}
    config = model.config.to_dict()
    export_model(model, tmp_path / "m.onnx")
    assert {module.training for module in model.modules()} == {training}
    assert {name: type(module) for name, module in model.named_modules()} == modules
    assert all(parameter is parameters[name] for name, parameter in model.named_parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.config.to_dict() == config


def test_autocast_left_by_half_precision_training_is_not_exported(make_quantized: MakeModel, tmp_path: Path) -> None:
    model = make_quantized()
    export_model(model, tmp_path / "plain.onnx")
    model.forward = torch.autocast("cpu", dtype=torch.bfloat16)(model.forward)
    export_model(model, tmp_path / "wrapped.onnx")
    assert (tmp_path / "plain.onnx").read_bytes() == (tmp_path / "wrapped.onnx").read_bytes()


def test_float_model_keeps_its_attention_implementation(make_bert: MakeModel, tmp_path: Path) -> None:
    model = make_bert()
    before = model.config._attn_implementation
    export_model(model, tmp_path / "m.onnx", opset=13)
    assert model.config._attn_implementation == before


@pytest.mark.parametrize("opset", [12, 18])
def test_opset_out_of_range_is_refused(make_bert: MakeModel, tmp_path: Path, opset: int) -> None:
    with pytest.raises(ConfigError) as caught:
        export_model(make_bert(), tmp_path / "m.onnx", opset=opset)
    assert caught.value.setting == "opset"


def test_other_opset_than_asked_for_is_noticed(make_bert: MakeModel, tmp_path: Path) -> None:
    export_model(make_bert(), tmp_path / "m.onnx", opset=13)
    with pytest.raises(ExportError) as caught:
        export_onnx._require_opset(tmp_path / "m.onnx", 14)
    assert caught.value.setting == "opset"


def test_unknown_weight_type_is_refused(make_quantized: MakeModel, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        export_model(make_quantized(), tmp_path / "m.onnx", weight_type="int4")
    assert caught.value.setting == "weight_type"


def test_quantized_model_that_never_saw_data_is_refused(make_bert: MakeModel, tmp_path: Path) -> None:
    model = make_bert()
    apply_quantization(model, QuantizationSettings())
    with pytest.raises(ExportError) as caught:
        export_model(model, tmp_path / "m.onnx")
    assert caught.value.setting == "model"
