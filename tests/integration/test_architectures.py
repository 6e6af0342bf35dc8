"""Every architecture of docs/architectures.md through the whole chain, with every head, on tiny random models."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
import transformers
from torch import Tensor, nn
from transformers import PreTrainedModel

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.export.onnx import export_model, model_inputs
from sparse_core.export.verify import open_session
from sparse_core.modifiers.base import ActiveModifier, TrainingContext
from sparse_core.modifiers.pruning.report import sparsity_report
from sparse_core.modifiers.quantization.attention import AttentionFakeQuant
from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization, quantization_of
from sparse_core.modifiers.quantization.modifier import QuantizationModifier
from sparse_core.modifiers.quantization.modules import QuantEmbedding, QuantLinear, fake_quantizers
from sparse_core.modifiers.quantization.settings import QuantizationSettings
from sparse_core.modifiers.quantization.targets import quantization_targets
from sparse_core.recipe import builtin_recipes, load_recipe
from sparse_core.recipe.check import check_recipe
from sparse_core.tasks.heads import load_with_head

PAGE = Path(__file__).parents[2] / "docs" / "architectures.md"
VOCAB_SIZE = 99
PAD = 1
SMALL = {"vocab_size": VOCAB_SIZE, "pad_token_id": PAD, "bos_token_id": 0, "eos_token_id": 2, "cls_token_id": 0,
         "sep_token_id": 2, "max_position_embeddings": 66}  # fmt: skip
BERT = {**SMALL, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}  # fmt: skip
DEBERTA_V3 = {"relative_attention": True, "position_buckets": 8, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0,
              "norm_rel_ebd": "layer_norm", "share_att_key": True, "position_biased_input": False}  # fmt: skip
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "BERT": ("Bert", BERT),
    "RoBERTa": ("Roberta", {**BERT, "type_vocab_size": 1}),
    "XLM-R": ("XLMRoberta", {**BERT, "type_vocab_size": 1}),
    "DistilBERT": ("DistilBert", {**SMALL, "dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 48, "dropout": 0.0,
                                  "attention_dropout": 0.0, "seq_classif_dropout": 0.0}),
    "ALBERT": ("Albert", {**BERT, "embedding_size": 16, "classifier_dropout_prob": 0.0}),
    "ELECTRA": ("Electra", {**BERT, "embedding_size": 16}),
    "MPNet": ("MPNet", BERT),
    "DeBERTa-v2": ("DebertaV2", {**BERT, **DEBERTA_V3}),
    "ModernBERT": ("ModernBert", {**BERT, "local_attention": 8, "global_attn_every_n_layers": 2}),
}  # fmt: skip
"""Name -> prefix of the classes in transformers, and the config of a tiny model.

DeBERTa-v2 is shaped like DeBERTa-v3. ModernBERT's second layer sees four tokens to each side, fewer than most of SHAPES
have.
"""
CLASSIFICATION, MASKED_LM = "SequenceClassification", "MaskedLM"
HEADS = (CLASSIFICATION, "TokenClassification", "QuestionAnswering", MASKED_LM)
SHAPES = ((2, 16), (1, 1), (1, 7), (5, 33), (3, 64))
"""Batch and tokens; none of them is the shape that was traced."""

FLOAT_TOLERANCE = 1e-4
"""Largest difference of a float output of magnitude up to 10: rounding in another order of summation."""
ROUNDING_TOLERANCE = 0.05
"""Largest difference of an int8 output relative to the largest: a value on the edge of two codes may take the other."""
MIN_AGREEMENT = 0.98
"""Smallest share of equal predictions of an int8 file and the fake-quantized model."""
FINAL_SPARSITY = 0.8
BERT_PARTS = ["bert.embeddings", "bert.encoder", "bert.pooler"]
HEAD_PARTS = {CLASSIFICATION: "classifier", "TokenClassification": "classifier", "QuestionAnswering": "qa_outputs",
              MASKED_LM: "cls"}  # fmt: skip


RECIPE_HEADS = {"conll2003": "TokenClassification", "squad": "QuestionAnswering"}
"""Head of the built-in recipes for a data set, where it is not a text classifier's."""


def make_model(name: str, head: str) -> PreTrainedModel:
    """A float model of two layers, with weights large enough that its outputs differ from row to row."""
    prefix, values = ARCHITECTURES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = model_class(name, head)(getattr(transformers, f"{prefix}Config")(**values))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    parameter.normal_(std=0.2)
    return model.eval()


def model_class(name: str, head: str) -> type[PreTrainedModel]:
    return getattr(transformers, f"{ARCHITECTURES[name][0]}For{head}")


def batch(model: PreTrainedModel, shape: tuple[int, int], seed: int) -> dict[str, Tensor]:
    """What `model` reads, with padding in the first row where it has more than one token."""
    generator = torch.Generator().manual_seed(seed)
    input_ids = torch.randint(3, VOCAB_SIZE, shape, generator=generator)
    attention_mask = torch.ones_like(input_ids)
    attention_mask[0, shape[1] // 2 + 1 :] = 0
    input_ids[attention_mask == 0] = PAD
    token_type_ids = torch.randint(0, 2, shape, generator=generator)
    inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "token_type_ids": token_type_ids}
    return {key: value for key, value in inputs.items() if key in model_inputs(model)}


@torch.no_grad()
def outputs(model: PreTrainedModel) -> dict[str, Tensor]:
    return {k: v for k, v in model.eval()(**batch(model, (4, 20), seed=0)).items() if isinstance(v, Tensor)}


def same_outputs(first: PreTrainedModel, second: PreTrainedModel) -> bool:
    expected, found = outputs(first), outputs(second)
    return all(torch.equal(expected[key], found[key]) for key in expected)


# --- torch and ONNX Runtime -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """ONNX Runtime against torch over SHAPES."""

    difference: float
    """Largest of an output."""
    magnitude: float
    """Largest of an output of torch."""
    agreement: float
    """Share of equal predictions."""


@torch.no_grad()
def compare(model: PreTrainedModel, path: Path, *, optimized: bool, per_token: bool) -> Comparison:
    """Compares all but what the model makes of padding tokens, which depends on how its attention is computed."""
    session = open_session(path, optimized=optimized)
    names = [output.name for output in session.get_outputs()]
    expected_rows, found_rows = [], []
    for number, shape in enumerate(SHAPES):
        inputs = batch(model, shape, seed=number)
        feed = {key: value.numpy() for key, value in inputs.items()}
        expected = model(**inputs)
        for name, found in zip(names, session.run(names, feed), strict=True):
            assert found.shape == tuple(expected[name].shape)
            for row, length in enumerate(feed["attention_mask"].sum(axis=1)):
                part = (row, slice(length)) if per_token else (row,)
                expected_rows.append(expected[name].numpy()[part])
                found_rows.append(found[part])
    pairs = list(zip(expected_rows, found_rows, strict=True))
    equal = np.concatenate([np.atleast_1d(a.argmax(-1) == b.argmax(-1)) for a, b in pairs])
    return Comparison(
        difference=max(float(np.abs(a - b).max()) for a, b in pairs),
        magnitude=max(float(np.abs(a).max()) for a in expected_rows),
        agreement=float(equal.mean()),
    )


def has_parity(model: PreTrainedModel, path: Path, head: str) -> bool:
    """Exports `model` and says whether both kinds of session compute what torch does."""
    export_model(model, path)
    results = [compare(model, path, optimized=o, per_token=head != CLASSIFICATION) for o in (True, False)]
    if quantization_of(model) is None:
        return all(result.difference <= FLOAT_TOLERANCE for result in results)
    return all(r.agreement >= MIN_AGREEMENT and r.difference <= ROUNDING_TOLERANCE * r.magnitude for r in results)


def integer_matmuls(path: Path) -> tuple[int, int]:
    """How many matmuls of the file have two quantized operands, and how many there are."""
    graph = onnx.load(path).graph
    producer = {output: node for node in graph.node for output in node.output}

    def is_quantized(name: str) -> bool:
        node = producer.get(name)
        while node is not None and node.op_type == "Transpose":
            node = producer.get(node.input[0])
        return node is not None and node.op_type == "DequantizeLinear"

    matmuls = [node for node in graph.node if node.op_type in ("MatMul", "Gemm")]
    return sum(all(map(is_quantized, node.input[:2])) for node in matmuls), len(matmuls)


# --- the chain ------------------------------------------------------------------------------------------------------


class Training:
    """Follows the pruning and the quantization of a built-in recipe, as the trainer does, with plain SGD."""

    steps_per_epoch = 2

    def __init__(self, model: PreTrainedModel) -> None:
        self.model = model
        recipe = load_recipe("sparsify/gradual_quant", {"final_sparsity": FINAL_SPARSITY})
        context = TrainingContext(model, self.steps_per_epoch)
        found = [modifier.activate(context) for modifier in recipe.modifiers]
        self.modifiers = [modifier for modifier in found if isinstance(modifier, ActiveModifier)]
        self.qat_epoch = next(m.begins_at for m in recipe.modifiers if isinstance(m, QuantizationModifier))
        self.num_epochs = recipe.num_epochs
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.02)

    def run(self, start_epoch: float, end_epoch: float) -> None:
        self.model.train()
        for step in range(round(start_epoch * self.steps_per_epoch), round(end_epoch * self.steps_per_epoch)):
            for modifier in self.modifiers:
                modifier.before_step(step / self.steps_per_epoch)
            inputs = batch(self.model, (4, 20), seed=step)
            self.model(**inputs, labels=torch.arange(4) % 2).loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            for modifier in self.modifiers:
                modifier.after_step(step / self.steps_per_epoch)
        self.model.eval()


@dataclass(frozen=True)
class Chain:
    """What the whole chain made of a text classifier."""

    encoder_sparsity: float
    zeros_kept: bool
    """No zero of the sparse model was lost to quantization-aware training."""
    sparse_reloads: bool
    quantized_reloads: bool
    resumes: bool
    """A run that is stopped inside quantization-aware training ends at the same weights."""
    float_parity: bool
    int8_parity: bool
    integer_matmuls: tuple[int, int]
    num_integer_weights: int
    """Matrices that the ONNX file stores as int8."""
    model: PreTrainedModel


def run_chain(name: str, folder: Path) -> Chain:
    model = make_model(name, CLASSIFICATION)
    training = Training(model)
    training.run(0, training.qat_epoch)
    sparse = {key: value.clone() for key, value in model.state_dict().items()}
    encoder_sparsity = sparsity_report(model).encoder
    sparse_reloads = reloads(name, CLASSIFICATION, model, folder / "sparse")
    float_parity = has_parity(model, folder / "float.onnx", CLASSIFICATION)

    stop_epoch = training.qat_epoch + 0.5
    training.run(training.qat_epoch, stop_epoch)
    resumed = Training(make_model(name, CLASSIFICATION))
    for modifier in resumed.modifiers:
        modifier.restore_structure(stop_epoch)
    resumed.model.load_state_dict(model.state_dict())
    for modifier, source in zip(resumed.modifiers, training.modifiers, strict=True):
        modifier.load_state({key: value.clone() for key, value in source.state().items()})
    for run in (training, resumed):
        run.run(stop_epoch, run.num_epochs)
    after, again = model.state_dict(), resumed.model.state_dict()
    path = folder / "int8.onnx"
    return Chain(
        encoder_sparsity=encoder_sparsity,
        zeros_kept=all(bool((after[key][value == 0] == 0).all()) for key, value in sparse.items() if value.dim() > 1),
        sparse_reloads=sparse_reloads,
        quantized_reloads=reloads(name, CLASSIFICATION, model, folder / "quantized"),
        resumes=list(after) == list(again) and all(torch.equal(after[key], again[key]) for key in after),
        float_parity=float_parity,
        int8_parity=has_parity(model, path, CLASSIFICATION),
        integer_matmuls=integer_matmuls(path),
        num_integer_weights=sum(
            entry.data_type == onnx.TensorProto.INT8 and len(entry.dims) == 2
            for entry in onnx.load(path).graph.initializer
        ),
        model=model,
    )


def reloads(name: str, head: str, model: PreTrainedModel, folder: Path) -> bool:
    """Whether the saved model comes back whole and with equal outputs."""
    model.save_pretrained(folder)
    if head == CLASSIFICATION:
        schema = DatasetSchema("text_classification", {}, ["LABEL_0", "LABEL_1"], {})
        loaded = load_with_head(transformers.AutoModelForSequenceClassification, folder, schema, trained_head=True)
    else:
        loaded, info = model_class(name, head).from_pretrained(folder, output_loading_info=True)
        assert not info["missing_keys"] and not info["unexpected_keys"]
    same_kind = (quantization_of(loaded) is None) == (quantization_of(model) is None)
    return same_kind and same_outputs(model, loaded)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Chain]:
    """The chain of an architecture, run once."""
    return functools.cache(lambda name: run_chain(name, tmp_path_factory.mktemp(name)))


@dataclass(frozen=True)
class Head:
    """What quantization-aware training and the export made of a model with some head."""

    float_parity: bool
    int8_parity: bool
    quantized_reloads: bool
    model: PreTrainedModel


@pytest.fixture(scope="module")
def with_head(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Head]:
    """A model with a head, quantized and exported, once."""

    def run(name: str, head: str) -> Head:
        folder = tmp_path_factory.mktemp(f"{name}-{head}")
        model = make_model(name, head)
        float_parity = has_parity(model, folder / "float.onnx", head)
        apply_quantization(model, QuantizationSettings())
        model.train()
        for seed in range(3):
            model(**batch(model, (4, 20), seed=seed))
        model.eval()
        return Head(
            float_parity=float_parity,
            int8_parity=has_parity(model, folder / "int8.onnx", head),
            quantized_reloads=reloads(name, head, model, folder / "quantized"),
            model=model,
        )

    return functools.cache(run)


# --- what must hold -------------------------------------------------------------------------------------------------

each_architecture = pytest.mark.parametrize("name", ARCHITECTURES)
Chains = Callable[[str], Chain]
WithHead = Callable[[str, str], Head]


@each_architecture
def test_the_encoder_reaches_its_sparsity_and_keeps_it(chain: Chains, name: str) -> None:
    found = chain(name)
    assert found.encoder_sparsity == pytest.approx(FINAL_SPARSITY, abs=0.002)  # each matrix rounds to whole weights
    assert found.zeros_kept


@each_architecture
def test_sparse_and_quantized_checkpoints_come_back_and_a_stopped_run_goes_on(chain: Chains, name: str) -> None:
    found = chain(name)
    assert (found.sparse_reloads, found.quantized_reloads, found.resumes) == (True, True, True)


@each_architecture
def test_onnxruntime_computes_what_torch_computes(chain: Chains, name: str) -> None:
    found = chain(name)
    assert (found.float_parity, found.int8_parity) == (True, True)


@each_architecture
def test_every_quantized_weight_is_in_the_file_as_int8(chain: Chains, name: str) -> None:
    found = chain(name)
    assert found.num_integer_weights == count(found.model, QuantLinear) + count(found.model, QuantEmbedding)
    integer, total = found.integer_matmuls
    assert integer == total or count(found.model, AttentionFakeQuant) == 0


@pytest.mark.parametrize("head", HEADS[1:])
@each_architecture
def test_every_head_is_quantized_exported_and_reloaded(with_head: WithHead, name: str, head: str) -> None:
    found = with_head(name, head)
    assert (found.float_parity, found.int8_parity, found.quantized_reloads) == (True, True, True)
    assert all(fake_quant.is_observed for fake_quant in fake_quantizers(found.model))


@each_architecture
def test_the_masked_lm_decoder_stays_tied_and_float(with_head: WithHead, tmp_path: Path, name: str) -> None:
    model = with_head(name, MASKED_LM).model
    model.save_pretrained(tmp_path)
    for tied in (model, model_class(name, MASKED_LM).from_pretrained(tmp_path)):
        assert tied.get_output_embeddings().weight is tied.get_input_embeddings().weight
        assert type(tied.get_output_embeddings()) is nn.Linear
        assert type(tied.get_input_embeddings()) is QuantEmbedding


@each_architecture
def test_a_masked_lm_checkpoint_takes_every_other_head(with_head: WithHead, tmp_path: Path, name: str) -> None:
    source = with_head(name, MASKED_LM).model
    source.save_pretrained(tmp_path)
    schema = DatasetSchema("any", {}, ["a", "b"], {})  # as many as question answering has
    for head in HEADS[:3]:
        model = load_with_head(getattr(transformers, f"AutoModelFor{head}"), tmp_path, schema, trained_head=False)
        assert type(model) is model_class(name, head)
        assert torch.equal(model.get_input_embeddings().weight, source.get_input_embeddings().weight)
        assert count(model, QuantLinear) == count(model, nn.Linear)


@pytest.mark.parametrize("recipe", builtin_recipes())
@each_architecture
def test_every_built_in_recipe_fits(recipe: str, name: str) -> None:
    head = RECIPE_HEADS.get(recipe.partition("/")[0], CLASSIFICATION)
    assert [row.problem for row in check_recipe(load_recipe(recipe), make_model(name, head)) if row.problem] == []


@pytest.mark.parametrize("head", HEADS)
@each_architecture
def test_names_of_the_parts_of_a_bert_reach_every_linear(name: str, head: str) -> None:
    model = make_model(name, head)
    whole = quantization_targets(model, QuantizationSettings())
    settings = QuantizationSettings(submodules=(*BERT_PARTS, HEAD_PARTS[head]))
    assert quantization_targets(model, settings) == whole


# --- the page -------------------------------------------------------------------------------------------------------


def count(model: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in model.modules())


def row(name: str, chain: Chain, heads: dict[str, Head]) -> str:
    """A row of the page's table."""
    model, masked_lm = chain.model, heads[MASKED_LM].model
    linears, lm_linears = (f"{count(m, QuantLinear)} of {count(m, nn.Linear)}" for m in (model, masked_lm))
    attention = count(model, AttentionFakeQuant) > 0
    integer, total = chain.integer_matmuls
    parity = [chain.float_parity, chain.int8_parity, *(h.float_parity and h.int8_parity for h in heads.values())]
    notes = [] if attention else [
        f"The attention matmuls stay float: {type(model).__name__} does not use the AttentionInterface of transformers."
    ]  # fmt: skip
    for kept, reason in kept_float(masked_lm).items():
        notes.append(f"`{kept}` stays float: {reason}.")
    cells = [
        name,
        f"{chain.encoder_sparsity:.0%} of the encoder",
        f"{linears}; masked LM {lm_linears}",
        yes(attention),
        f"{count(model, QuantEmbedding)} of {count(model, nn.Embedding)}",
        f"{integer} of {total} matmuls",
        yes(all(parity)),
        " ".join(notes),
    ]
    return f"| {' | '.join(cells)} |"


def kept_float(model: PreTrainedModel) -> dict[str, str]:
    return quantization_targets(model, QuantizationSettings()).kept_float


def yes(holds: bool) -> str:
    return "yes" if holds else "no"


def page(rows: list[str]) -> str:
    columns = ("architecture", "pruning", "linears quantized", "attention matmuls", "embeddings", "int8 ONNX", "parity",
               "notes")  # fmt: skip
    heading = [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
    return PAGE_TEXT.replace("TABLE", "\n".join([*heading, *rows]))


PAGE_TEXT = f"""# Architectures

What each architecture can do, as `tests/integration/test_architectures.py` found it: the test makes this page. It takes
a random model of two layers through pruning, quantization-aware training, both checkpoints, a resumed run and the
export, with a text classification head, and through quantization, checkpoint and export with the heads for token
classification, question answering and masked language modeling.

TABLE

- *pruning*: share of zeros after the built-in recipe `sparsify/gradual_quant`; they are still zeros in the int8 model.
- *linears quantized*, *embeddings*: how many of the model's Linear and Embedding modules. A layer that the model runs
  through several times (ALBERT) is one.
- *attention matmuls*: whether their operands are quantized where a recipe leaves `quantize_attention` unset. A recipe
  that sets it to true is refused where this says no.
- *int8 ONNX*: matmuls of the text classifier's file that have two integer operands; all others are float.
- *parity*: ONNX Runtime agrees with torch for every head, with all graph optimizations and with none, on batches of 1
  to 5 rows and 1 to 64 tokens with padding: float outputs within {FLOAT_TOLERANCE:g}, and int8 outputs within
  {ROUNDING_TOLERANCE:.0%} of the largest with {MIN_AGREEMENT:.0%} of the predictions equal.
"""


def test_the_page_says_what_was_found(chain: Chains, with_head: WithHead) -> None:
    rows = [row(name, chain(name), {head: with_head(name, head) for head in HEADS[1:]}) for name in ARCHITECTURES]
    if os.environ.get("GOLDEN_UPDATE"):
        PAGE.write_text(page(rows), encoding="utf-8")
    assert page(rows) == PAGE.read_text(encoding="utf-8"), "run `make golden` and look at the difference"
