"""The step as a whole on models of a few thousand weights: every number there, finite, and truthfully named."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from sparse_core.artifacts.record import RunRecord
from sparse_core.artifacts.report import Report
from sparse_core.errors import ConfigError, ModelError, OutputError, SparseCoreError
from sparse_core.steps.benchmark import benchmark
from sparse_core.steps.export_onnx import export_onnx

pytestmark = pytest.mark.slow
WORDS = ["good", "bad", "film", "plot", "the", "a", "very", "dull", "fine", "actor"]
SPARSITY = 0.75
ODD = "80 % Ünïcode 稀疏"
EXPORT = {"max_seq_length": 16, "min_agreement": 0.0, "max_metric_loss": 1.0}
FAST = {"max_seq_length": 16, "batch_sizes": "1,2", "sequence_lengths": "8", "num_threads": 1, "num_runs": 3}
RECIPE = """\
modifiers:
  - !EpochRangeModifier {start_epoch: 0.0, end_epoch: 3.0}
  - !ConstantPruningModifier {start_epoch: 0.0, params: __ALL_PRUNABLE__}
"""


def write_dataset(
    directory: Path, *, num_test_rows: int, label: str = "int64", problem_type: str = "single_label_classification"
) -> Path:
    import pyarrow as pa

    directory.mkdir()
    num_rows = {"train": 4, "validation": 8, "test": num_test_rows}
    for split, count in num_rows.items():
        table = pa.table(
            {
                "text": [
                    " ".join(WORDS[(row + step) % len(WORDS)] for step in range(1 + row % 6)) for row in range(count)
                ],
                "label": pa.array([row % 2 for row in range(count)], label),
            }
        )
        if count:
            with pa.ipc.new_stream(str(directory / f"{split}.arrow"), table.schema) as stream:
                stream.write_table(table)
    schema = {
        "task": "text_classification",
        "source_columns": {"text": "text", "label": "label"},
        "label_names": ["neg", "pos"] if label == "int64" else [],
        "num_rows": {split: count for split, count in num_rows.items() if count},
        "task_args": {"problem_type": problem_type},
    }
    (directory / "dataset.json").write_text(json.dumps(schema))
    return directory


def write_models(directory: Path) -> dict[str, Path]:
    """A dense model, the same with three quarters of its encoder zero, and that one quantized."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    from sparse_core.modifiers.pruning.parameters import prunable_parameters
    from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization, set_phase
    from sparse_core.modifiers.quantization.settings import QuantizationSettings

    vocabulary = directory / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    tokenizer = BertTokenizerFast(vocab_file=str(vocabulary), model_max_length=32)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(WORDS) + 5,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        id2label={0: "neg", 1: "pos"},
        label2id={"neg": 0, "pos": 1},
    )
    model = BertForSequenceClassification(config)
    paths = {name: directory / name for name in ("teacher", "sparse", "quantized")}

    def save(name: str) -> None:
        model.save_pretrained(paths[name])
        tokenizer.save_pretrained(paths[name])

    save("teacher")
    with torch.no_grad():
        for name, weight in prunable_parameters(model).items():
            if ".layer." in name:
                weight.view(-1)[: int(SPARSITY * weight.numel())] = 0.0
    save("sparse")
    apply_quantization(model, QuantizationSettings(quantize_attention=True))
    model.train()
    model(input_ids=torch.randint(5, len(WORDS) + 5, (4, 8)))
    set_phase(model, "frozen")
    save("quantized")
    (paths["quantized"] / "recipe.yaml").write_text(RECIPE)
    log_history = [{"epoch": 1.0, "loss": 0.5}, {"epoch": 1.0, "eval_loss": 0.4, "eval_accuracy": 0.7}]
    RunRecord(step="qat_finalize", log_history=log_history).write(paths["quantized"])
    return paths


@pytest.fixture(scope="module", autouse=True)
def module_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSE_CORE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("artifacts")
    paths = write_models(directory)
    dataset = write_dataset(directory / "dataset", num_test_rows=12)
    for name, output in (("quantized", "exported"), ("sparse", "float_exported")):
        export_onnx(paths[name], dataset, directory / output, **EXPORT)
        paths[output] = directory / output
    return {**paths, "dataset": dataset}


@pytest.fixture(scope="module")
def candidates(artifacts) -> dict[str, Path]:
    """The four of a pipeline, and a second deployment with an odd name."""
    names = {
        "dense": "teacher",
        "sparse": "sparse",
        "quantized": "quantized",
        "deployed": "exported",
        ODD: "float_exported",
    }
    return {name: artifacts[folder] for name, folder in names.items()}


@pytest.fixture(scope="module")
def outcome(artifacts, candidates, tmp_path_factory):
    output = tmp_path_factory.mktemp("outcome") / "report"
    metrics = benchmark(candidates, artifacts["dataset"], output, engines="torch", **FAST)
    return metrics, Report.read(output), output


def test_metrics_are_finite_floats_and_equal_summary_json(outcome):
    metrics, _, output = outcome
    assert all(type(value) is float and math.isfinite(value) for value in metrics.values())
    assert json.loads((output / "summary.json").read_text()) == metrics
    json.loads((output / "report.json").read_text(), parse_constant=pytest.fail)
    assert metrics["sparse_encoder_sparsity"] == metrics["quantized_encoder_sparsity"] == pytest.approx(SPARSITY)
    assert metrics[f"{ODD}_encoder_sparsity"] == pytest.approx(SPARSITY)
    assert metrics["deployed_encoder_sparsity"] == pytest.approx(SPARSITY, abs=0.02)  # rounding makes some more
    assert metrics["dense_encoder_sparsity"] == pytest.approx(0.0, abs=1e-3)
    assert metrics["sparse_gzip_bytes"] < metrics["dense_gzip_bytes"]
    assert metrics["dense_speed_ratio_onnxruntime_batch1_seq8"] == 1.0
    assert metrics["deployed_p50_ms_onnxruntime_batch2_seq8"] > 0
    assert metrics["deployed_increment_bytes_onnxruntime"] > 0
    assert metrics["dense_accuracy_torch"] == metrics["dense_accuracy_onnxruntime"]


def test_what_a_candidate_is_comes_from_its_files(outcome, artifacts):
    _, report, _ = outcome
    assert [(c.name, c.kind, c.precision, c.exported_from, c.file and c.file.opset) for c in report.candidates] == [
        ("dense", "model", "fp32", "", 14),
        ("sparse", "model", "fp32", "", 14),
        ("quantized", "model", "int8 simulated", "", None),
        ("deployed", "deployment", "int8", "quantized", 14),
        (ODD, "deployment", "fp32", "sparse", 14),
    ]
    by_name = {candidate.name: candidate for candidate in report.candidates}
    assert by_name[ODD].sparsity_by_layer == pytest.approx(by_name["sparse"].sparsity_by_layer)
    assert by_name["deployed"].sparsity_by_layer.keys() == by_name["quantized"].sparsity_by_layer.keys()
    assert by_name["deployed"].verification.num_rows == 8
    assert [span.name for span in by_name["quantized"].recipe] == ["EpochRange", "ConstantPruning"]
    assert by_name["quantized"].recipe[1].end_epoch == 3.0
    assert [entry.get("loss") for entry in by_name["quantized"].log_history] == [0.5, None]


def test_scores_show_what_is_lost_from_torch_to_onnx(outcome):
    _, report, _ = outcome
    assert {(score.candidate, score.engine): score.measured_on for score in report.scores} == {
        ("dense", "torch"): "dense",
        ("dense", "onnxruntime"): "dense",
        ("sparse", "torch"): "sparse",
        ("quantized", "torch"): "quantized",
        ("deployed", "torch"): "quantized",
        ("deployed", "onnxruntime"): "deployed",
        (ODD, "torch"): "sparse",
        (ODD, "onnxruntime"): ODD,
    }
    assert report.score("deployed", "torch").metrics == report.score("quantized", "torch").metrics
    assert (report.data.split, report.data.num_rows) == ("test", 12)


def test_speeds_are_measured_under_stated_conditions(outcome):
    _, report, output = outcome
    names = ["dense", "sparse", "deployed", ODD]
    assert [(row.engine, row.candidate) for row in report.latency] == 2 * [
        ("torch", "dense"), *(("onnxruntime", name) for name in names)
    ]  # fmt: skip
    assert {(row.num_threads, row.num_runs, row.num_warmup_runs) for row in report.latency} == {(1, 3, 5)}
    page = (output / "report.html").read_text()
    assert ODD in page and "--candidates dense=" in page


def test_a_deployment_can_be_the_reference(artifacts, candidates, tmp_path):
    chosen = {name: candidates[name] for name in (ODD, "deployed")}
    metrics = benchmark(chosen, artifacts["dataset"], tmp_path / "report", reference="deployed", **FAST)
    assert metrics["deployed_speed_ratio_onnxruntime_batch1_seq8"] == 1.0
    assert f"{ODD}_accuracy_kept" in metrics and "deployed_accuracy_kept" not in metrics


def test_one_candidate_on_the_validation_split(artifacts, tmp_path):
    dataset = write_dataset(tmp_path / "dataset", num_test_rows=0)
    metrics = benchmark({"only": artifacts["float_exported"]}, dataset, tmp_path / "report", **FAST)
    report = Report.read(tmp_path / "report")
    assert (report.data.split, report.names, report.reference) == ("validation", ["only"], "only")
    assert "int8" not in json.dumps([row.model_dump() for row in (*report.candidates, *report.latency)])
    assert metrics["only_accuracy_onnxruntime"] == report.scores[0].value


@pytest.mark.parametrize("setting", ["reference", "benchmark_options.batch_sizes"])
def test_settings_that_do_not_fit_leave_nothing(artifacts, candidates, tmp_path, setting):
    values = {"reference": "quantized"} if setting == "reference" else {"benchmark_options": {"batch_sizes": "1,x"}}
    options = {name: value for name, value in FAST.items() if name == "max_seq_length"}
    with pytest.raises(SparseCoreError) as caught:
        benchmark(candidates, artifacts["dataset"], tmp_path / "report", **{**options, **values})
    assert caught.value.setting == setting
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"sequence_lengths": "8,64"}, "sequence_lengths"),
        ({"max_seq_length": 64}, "max_seq_length"),
        ({"num_runs": 0}, "num_runs"),
    ],
)
def test_lengths_and_counts_are_refused_before_anything_is_measured(artifacts, candidates, tmp_path, change, setting):
    with pytest.raises(ConfigError) as caught:
        benchmark(candidates, artifacts["dataset"], tmp_path / "report", **{**FAST, **change})
    assert caught.value.setting == setting
    assert not list(tmp_path.iterdir())


def test_a_deployment_of_another_task_is_refused_by_name(artifacts, tmp_path):
    shutil.copytree(artifacts["exported"], tmp_path / "exported")
    (manifest,) = {path.parent for path in (tmp_path / "exported").rglob("model.onnx")}
    record = json.loads((manifest / "manifest.json").read_text())
    (manifest / "manifest.json").write_text(json.dumps({**record, "task": "question_answering"}))
    with pytest.raises(ModelError) as caught:
        benchmark({"out": tmp_path / "exported"}, artifacts["dataset"], tmp_path / "report", **FAST)
    assert caught.value.setting == "candidates.out"


def test_a_candidate_that_does_not_load_is_refused_by_name(artifacts, tmp_path):
    shutil.copytree(artifacts["sparse"], tmp_path / "broken", ignore=shutil.ignore_patterns("*.safetensors"))
    with pytest.raises(ModelError) as caught:
        benchmark(
            {"a": artifacts["teacher"], "b": tmp_path / "broken"}, artifacts["dataset"], tmp_path / "report", **FAST
        )
    assert caught.value.setting == "candidates.b"


def test_a_candidate_with_tokens_of_its_own_reads_those(artifacts, outcome, tmp_path):
    import torch
    from transformers import BertForSequenceClassification, BertTokenizerFast

    order = [0, 1, 2, 3, 4, *reversed(range(5, len(WORDS) + 5))]  # the same model with its words numbered backwards
    model = BertForSequenceClassification.from_pretrained(artifacts["teacher"])
    with torch.no_grad():
        words = model.bert.embeddings.word_embeddings.weight
        words.copy_(words[order].clone())
    model.save_pretrained(tmp_path / "teacher")
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *reversed(WORDS)]))
    BertTokenizerFast(vocab_file=str(vocabulary), model_max_length=32).save_pretrained(tmp_path / "teacher")

    chosen = {"dense": tmp_path / "teacher", "sparse": artifacts["sparse"]}
    metrics = benchmark(chosen, artifacts["dataset"], tmp_path / "report", engines="onnxruntime", **FAST)

    for engine in ("torch", "onnxruntime"):
        assert metrics[f"dense_accuracy_{engine}"] == outcome[0]["dense_accuracy_torch"]


def test_a_model_without_token_types_that_predicts_numbers(tmp_path):
    import torch
    from transformers import BertTokenizerFast, DistilBertConfig, DistilBertForSequenceClassification

    dataset = write_dataset(tmp_path / "dataset", num_test_rows=0, label="float64", problem_type="regression")
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    torch.manual_seed(0)
    sizes = {"dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 32, "num_labels": 1}
    DistilBertForSequenceClassification(DistilBertConfig(vocab_size=15, **sizes)).save_pretrained(tmp_path / "model")
    tokenizer = BertTokenizerFast(vocab_file=str(vocabulary), model_max_length=32)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    tokenizer.save_pretrained(tmp_path / "model")
    tolerance = {"min_agreement": 0.0, "max_metric_loss": 2.0}
    export_onnx(tmp_path / "model", dataset, tmp_path / "exported", max_seq_length=16, **tolerance)
    chosen = {"dense": tmp_path / "model", "deployed": tmp_path / "exported"}

    metrics = benchmark(chosen, dataset, tmp_path / "report", engines="torch", **FAST)

    assert {f"deployed_{name}_onnxruntime" for name in ("pearson", "spearmanr", "mse")} <= set(metrics)
    assert metrics["dense_mse_torch"] == pytest.approx(metrics["dense_mse_onnxruntime"], rel=1e-3)
    assert "spearmanr" in (tmp_path / "report" / "report.html").read_text()


def test_an_output_in_use_is_left_alone(artifacts, candidates, tmp_path):
    (tmp_path / "precious").write_text("kept")
    with pytest.raises(OutputError) as caught:
        benchmark(candidates, artifacts["dataset"], tmp_path, **FAST)
    assert caught.value.setting == "output"
    assert (tmp_path / "precious").read_text() == "kept"
