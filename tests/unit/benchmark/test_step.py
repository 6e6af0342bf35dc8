"""The step as a whole on models of a few thousand weights: every number there, finite, and truthfully named."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest

from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ConfigError, ModelError, OutputError
from sparse_core.steps.benchmark import benchmark
from sparse_core.steps.export_onnx import export_onnx

pytestmark = pytest.mark.slow
WORDS = ["good", "bad", "film", "plot", "the", "a", "very", "dull", "fine", "actor"]
SPARSITY = 0.75
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
    export_onnx(
        paths["quantized"], dataset, directory / "exported", max_seq_length=16, min_agreement=0.0, max_metric_loss=1.0
    )
    return {**paths, "deployment": directory / "exported", "dataset": dataset}


@pytest.fixture(scope="module")
def outcome(artifacts, tmp_path_factory):
    output = tmp_path_factory.mktemp("outcome") / "report"
    metrics = benchmark(**artifacts, output=output, engines="torch", **FAST)
    return metrics, json.loads((output / "report.json").read_text(), parse_constant=pytest.fail), output


def test_metrics_are_finite_floats_and_equal_summary_json(outcome):
    metrics, _, output = outcome

    assert all(type(value) is float and math.isfinite(value) for value in metrics.values())
    assert json.loads((output / "summary.json").read_text()) == metrics
    assert metrics["encoder_sparsity_sparse"] == pytest.approx(SPARSITY)
    assert metrics["encoder_sparsity_dense"] == pytest.approx(0.0, abs=1e-3)
    assert metrics["gzip_bytes_sparse"] < metrics["gzip_bytes_dense"]
    assert metrics["speed_ratio_dense_onnxruntime_batch1_seq8"] == 1.0
    assert metrics["p50_ms_deployed_onnxruntime_batch2_seq8"] > 0
    assert metrics["increment_bytes_deployed_onnxruntime"] > 0


def test_report_states_the_conditions_of_every_number(outcome):
    _, report, output = outcome

    assert [(model["label"], model["precision"], model["opset"]) for model in report["models"]] == [
        ("dense fp32", "fp32", 14),
        ("sparse fp32", "fp32", 14),
        ("sparse int8", "int8", 14),
    ]
    assert {(row["variant"], row["engine"]) for row in report["accuracy"]} == {
        ("dense", "torch"),
        ("sparse", "torch"),
        ("deployed", "torch"),
        ("dense", "onnxruntime"),
        ("deployed", "onnxruntime"),
    }
    assert len(report["latency"]) == 2 * 4
    assert {(row["num_threads"], row["num_runs"], row["num_warmup_runs"]) for row in report["latency"]} == {(1, 3, 5)}
    assert (report["data"]["split"], report["data"]["num_rows"]) == ("test", 12)
    assert [span["name"] for span in report["timeline"]] == ["EpochRange", "ConstantPruning"]
    assert report["timeline"][1]["end_epoch"] == 3.0
    assert report["training"] == [
        {
            "name": "final",
            "log_history": [{"epoch": 1.0, "loss": 0.5}, {"epoch": 1.0, "eval_loss": 0.4, "eval_accuracy": 0.7}],
        }
    ]
    assert report["verification"]["num_rows"] == 8
    assert "--teacher" in report["command"]
    assert "sparse int8" in (output / "report.html").read_text()


def test_a_deployment_of_another_task_is_refused_at_once(artifacts, tmp_path):
    shutil.copytree(artifacts["deployment"], tmp_path / "exported")
    manifest = tmp_path / "exported" / "deployment" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "task": "question_answering"}))
    given = {**artifacts, "deployment": tmp_path / "exported", "teacher": tmp_path / "not_looked_at"}
    with pytest.raises(ModelError, match="^deployment: .* is for question_answering, and the data is for text_classif"):
        benchmark(**given, output=tmp_path / "report", **FAST)


def test_torch_and_onnxruntime_have_the_same_dense_accuracy(outcome):
    metrics, _, _ = outcome

    assert metrics["accuracy_dense_torch"] == metrics["accuracy_dense_onnxruntime"]


def test_a_float_deployment_is_not_called_int8_and_validation_stands_in_for_test(artifacts, tmp_path):
    dataset = write_dataset(tmp_path / "dataset", num_test_rows=0)
    exported = tmp_path / "exported"
    export_onnx(artifacts["sparse"], dataset, exported, max_seq_length=16, min_agreement=0.0, max_metric_loss=1.0)
    changed = {**artifacts, "quantized": artifacts["sparse"], "deployment": exported, "dataset": dataset}

    benchmark(**changed, output=tmp_path / "report", engines="onnxruntime", **FAST)

    report = json.loads((tmp_path / "report" / "report.json").read_text())
    assert report["models"][2]["label"] == "deployed fp32"
    assert report["data"]["split"] == "validation"
    assert "int8" not in json.dumps([report["models"], report["latency"]])


def test_a_teacher_with_tokens_of_its_own_reads_those(artifacts, outcome, tmp_path):
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

    metrics = benchmark(
        **{**artifacts, "teacher": tmp_path / "teacher"}, output=tmp_path / "report", engines="onnxruntime", **FAST
    )

    for engine in ("torch", "onnxruntime"):
        assert metrics[f"accuracy_dense_{engine}"] == outcome[0]["accuracy_dense_torch"]


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
    models = dict.fromkeys(("teacher", "sparse", "quantized"), tmp_path / "model")

    metrics = benchmark(
        **models, deployment=tmp_path / "exported", dataset=dataset, output=tmp_path / "report", engines="torch", **FAST
    )

    assert {f"{name}_deployed_onnxruntime" for name in ("pearson", "spearmanr", "mse")} <= set(metrics)
    assert metrics["mse_dense_torch"] == pytest.approx(metrics["mse_dense_onnxruntime"], rel=1e-3)
    assert "spearmanr" in (tmp_path / "report" / "report.html").read_text()


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("batch_sizes", "1,x", "batch_sizes: expected positive integers separated by commas"),
        ("sequence_lengths", "8,64", "sequence_lengths: expected at most 32 tokens"),
        ("engines", "tourch", "did you mean 'torch'"),
        ("num_runs", 0, "num_runs: expected 1 or more, got 0"),
    ],
)
def test_settings_are_refused_before_anything_is_measured(artifacts, tmp_path, setting, value, message):
    with pytest.raises(ConfigError, match=message):
        benchmark(**artifacts, output=tmp_path / "report", **{**FAST, setting: value})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_no_export_is_refused(artifacts, tmp_path):
    with pytest.raises(ModelError, match="give the output folder of export_onnx"):
        benchmark(**{**artifacts, "deployment": artifacts["sparse"]}, output=tmp_path / "report", **FAST)


def test_an_output_in_use_is_left_alone(artifacts, tmp_path):
    (tmp_path / "precious").write_text("kept")

    with pytest.raises(OutputError, match="already in use"):
        benchmark(**artifacts, output=tmp_path, **FAST)
    assert (tmp_path / "precious").read_text() == "kept"


def test_torch_has_its_threads_back(artifacts, tmp_path):
    import torch

    from sparse_core.steps.benchmark import _torch_threads

    before = torch.get_num_threads()
    with pytest.raises(KeyError), _torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before
