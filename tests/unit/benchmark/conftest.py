"""A whole report with hand-made numbers, as report.json holds it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from sparse_core.artifacts.report import Report
from sparse_core.artifacts.report_parts import Candidate

VOCAB_SIZE = 100
KINDS = (
    "attention.self.query.weight",
    "attention.self.key.weight",
    "attention.self.value.weight",
    "attention.output.dense.weight",
    "intermediate.dense.weight",
    "output.dense.weight",
)
PRECISIONS = {"dense": "fp32", "sparse": "fp32", "deployed": "int8"}


RECIPE = [
    {"name": "EpochRange", "start_epoch": 0.0, "end_epoch": 13.0},
    {"name": "LearningRateFunction", "start_epoch": 0.0, "end_epoch": 13.0},
    {"name": "ConstantPruning", "start_epoch": 0.0, "end_epoch": 13.0},
    {"name": "Quantization", "start_epoch": 8.0, "end_epoch": 13.0},
]
VERIFICATION = {
    "num_rows": 872,
    "metric": "accuracy",
    "tolerance": {"min_agreement": 0.99, "max_metric_loss": 0.005},
    "torch_metrics": {"accuracy": 0.8911, "f1": 0.7911},
    "rounding_agreement": 0.9954,
    "sessions": {
        "optimized": {
            "agreement": 0.9977,
            "metrics": {"accuracy": 0.8899, "f1": 0.7899},
            "max_abs_difference": 0.5084679,
        },
        "unoptimized": {
            "agreement": 1.0,
            "metrics": {"accuracy": 0.8911, "f1": 0.7911},
            "max_abs_difference": 2.38e-7,
        },
    },
}


def candidate_row(name: str, sparsity: float, raw_bytes: int, gzip_bytes: int) -> dict:
    """One entry of `candidates`: six encoder layers of one sparsity, a pooler of half of it, and a dense classifier."""
    layers = {f"bert.encoder.layer.{layer}.{kind}": sparsity for layer in range(6) for kind in KINDS}
    is_int8 = PRECISIONS[name] == "int8"
    return {
        "name": name,
        "kind": "deployment" if is_int8 else "model",
        "directory": f"/artifacts/{name}",
        "made_by": "prune, sparse_core 0.1.0",
        "precision": PRECISIONS[name],
        "num_parameters": 22_713_986,
        "encoder_sparsity": sparsity,
        "model_sparsity": sparsity / 2,
        "sparsity_by_kind": {**dict.fromkeys(KINDS, sparsity), "classifier.weight": 0.0},
        "sparsity_by_layer": {**layers, "bert.pooler.dense.weight": sparsity / 2, "classifier.weight": 0.0},
        "file": {
            "opset": 14,
            "weight_dtype": "int8" if is_int8 else "float32",
            "raw_bytes": raw_bytes,
            "gzip_bytes": gzip_bytes,
        },
    }


def latency_row(name: str, engine: str, shape: tuple[int, int], p50_ms: float, speed_ratio: float) -> dict:
    """One entry of `latency`; p95 is a tenth above p50."""
    return {
        "candidate": name,
        "engine": engine,
        "precision": PRECISIONS[name],
        "opset": None if engine == "torch" else 14,
        "batch_size": shape[0],
        "sequence_length": shape[1],
        "num_threads": 2,
        "num_warmup_runs": 5,
        "num_runs": 30,
        "p50_ms": p50_ms,
        "p95_ms": p50_ms * 1.1,
        "p99_ms": p50_ms * 1.3,
        "mean_ms": p50_ms,
        "rows_per_second": shape[0] * 1000 / p50_ms,
        "speed_ratio": speed_ratio,
    }


def training_log(first_epoch: int, last_epoch: int, loss: float) -> list[dict]:
    """Two training entries and one evaluation for each epoch."""
    entries: list[dict] = []
    for epoch in range(first_epoch, last_epoch + 1):
        entries.append({"epoch": epoch - 0.5, "loss": loss / epoch, "learning_rate": 1e-4, "step": 2 * epoch - 1})
        entries.append({"epoch": float(epoch), "loss": 0.8 * loss / epoch, "learning_rate": 1e-4, "step": 2 * epoch})
        accuracy = 0.9 - 0.3 / (epoch + 1)
        entries.append({"epoch": float(epoch), "eval_loss": 1.1 * loss / epoch, "eval_accuracy": accuracy})
    return entries


@pytest.fixture
def values() -> dict:
    """A report of a six-layer encoder, to be changed: dense, sparse at 80 %, deployed as int8."""
    latency = []
    for shape, scale in (((1, 32), 1.0), ((1, 128), 3.5), ((16, 32), 14.0), ((16, 128), 55.0)):
        latency += [
            latency_row("dense", "torch", shape, 6.0 * scale, 0.84),
            latency_row("dense", "onnxruntime", shape, 5.04 * scale, 1.0),
            latency_row("sparse", "onnxruntime", shape, 5.0 * scale, 1.01),
            latency_row("deployed", "onnxruntime", shape, 2.52 * scale, 2.0),
        ]
    conditions = ("candidate", "engine", "precision", "opset")
    return {
        "title": "bert, 6 layers of 384, text classification",
        "created_unix": 1_700_000_000,
        "command": "sparse-core benchmark \\\n  --candidates dense=/artifacts/dense",
        "reference": "dense",
        "reference_engine": "onnxruntime",
        "settings": {
            "max_seq_length": 128,
            "batch_sizes": [1, 16],
            "sequence_lengths": [32, 128],
            "num_threads": 2,
            "num_runs": 30,
            "num_warmup_runs": 5,
            "engines": ["torch", "onnxruntime"],
        },
        "hardware": {
            "cpu_model": "Example CPU",
            "architecture": "x86_64",
            "num_cores": 4,
            "num_usable_cores": 2,
            "flags": {"avx2": True, "avx512": True, "avx512_vnni": True, "amx_int8": False},
            "expectation": "This CPU has AVX512-VNNI; expect int8 to run faster.",
        },
        "versions": {"python": "3.11.9", "torch": "2.13.0", "onnxruntime": "1.31.1"},
        "data": {
            "task": "text_classification",
            "metric": "accuracy",
            "split": "test",
            "num_rows": 1821,
            "num_rows_by_split": {"train": 67349, "validation": 872, "test": 1821},
            "label_names": ["negative", "positive"],
        },
        "candidates": [
            {**candidate_row("dense", 0.0, 90_900_000, 84_200_000), "log_history": training_log(1, 3, 0.5)},
            {
                **candidate_row("sparse", 0.8, 90_900_000, 56_300_000),
                "log_history": training_log(1, 8, 0.9),
                "recipe": RECIPE,
            },
            {**candidate_row("deployed", 0.8, 23_000_000, 12_100_000), "verification": copy.deepcopy(VERIFICATION)},
        ],
        "scores": [
            {
                "candidate": name,
                "engine": engine,
                "measured_on": name,
                "value": value,
                "metrics": {"accuracy": value, "f1": value - 0.1},
            }
            for name, engine, value in (
                ("dense", "torch", 0.897),
                ("dense", "onnxruntime", 0.897),
                ("sparse", "torch", 0.886),
                ("deployed", "torch", 0.881),
                ("deployed", "onnxruntime", 0.88),
            )
        ],
        "latency": latency,
        "footprint": [
            {
                **{name: row[name] for name in conditions},
                "load_ms": 120.0,
                "baseline_bytes": 60_000_000,
                "peak_bytes": 260_000_000,
                "increment_bytes": 200_000_000,
            }
            for row in latency[:4]
        ],
        "failures": [],
    }


@pytest.fixture
def report(values) -> Report:
    """The report of `values`; give its parameter first to a test that changes them."""
    return Report.model_validate(values)


@pytest.fixture
def make_candidate() -> Callable[[str], Candidate]:
    """Makes the entry of a candidate: dense, sparse or deployed."""
    return lambda name: Candidate(**candidate_row(name, 0.0, 400, 300))


@pytest.fixture
def with_entities(values) -> None:
    """Scores of two types of entity in `values`, one of them named as a score of the other could be."""
    for row in values["scores"]:
        for entity, count in (("LOC", 6), ("phone_number", 10)):
            scores = {"precision": row["value"], "recall": 0.5, "f1": 2 / 3, "number": count}
            row["metrics"] |= {f"{entity}_{name}": value for name, value in scores.items()}


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory of a BERT classifier of a few thousand weights, with `model.onnx` beside its Hugging Face files."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from sparse_core.export.onnx import export_model

    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    model = BertForSequenceClassification(config).eval()
    directory = tmp_path_factory.mktemp("tiny") / "model"
    model.save_pretrained(directory)
    export_model(model, directory / "model.onnx", opset=14)
    return directory
