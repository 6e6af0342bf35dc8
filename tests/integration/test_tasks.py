"""Every task from a file to the report by the same steps: exact zeros, two steps equal one, ONNX equals torch."""

from __future__ import annotations

import json
import random

import onnx
import pytest
from safetensors.torch import load_file

from sparse_core.artifacts.record import RunRecord
from sparse_core.artifacts.report import Report
from sparse_core.recipe import load_recipe
from sparse_core.steps.benchmark import benchmark
from sparse_core.steps.export_onnx import export_onnx
from sparse_core.steps.fetch_dataset import fetch_dataset
from sparse_core.steps.fetch_recipe import fetch_recipe
from sparse_core.steps.prune import prune
from sparse_core.steps.qat_finalize import qat_finalize
from sparse_core.steps.train_teacher import train_teacher
from sparse_core.steps.training import run_training
from tests.integration.conftest import BAD, FILLERS, GOOD, SETTINGS, write_model

pytestmark = pytest.mark.slow

SPARSITY = 0.5
RECIPE_ARGS = {
    "num_epochs": 3,
    "final_sparsity": SPARSITY,
    "pruning_end_epoch": 1.5,
    "qat_start_epoch": 2.0,
    "observer_epoch": 2.5,
    "init_lr": 3e-3,
    "distill_hardness": 0.5,
}


def words_of(rng):
    words = rng.choices(FILLERS, k=rng.randint(4, 9))
    words.insert(rng.randrange(len(words)), rng.choice(GOOD + BAD))
    return words


def pair(rng):
    first, second = rng.choice(GOOD + BAD), rng.choice(GOOD + BAD)
    return {"sentence1": f"word1 {first}", "sentence2": f"word2 {second}",
            "label": "same" if (first in GOOD) == (second in GOOD) else "other"}  # fmt: skip


def several_labels(rng):
    words = words_of(rng)
    return {"text": " ".join(words), "labels": sorted({word for word in words if word in ("good", "bad", "word1")})}


def score(rng):
    words = words_of(rng)
    return {"text": " ".join(words), "label": sum(word in GOOD for word in words) + 0.125 * len(words)}


def tagged(rng):
    words = words_of(rng)
    return {"tokens": words, "ner_tags": ["B-GOOD" if w in GOOD else "B-BAD" if w in BAD else "O" for w in words]}


def question(rng):
    words = words_of(rng) + words_of(rng)
    answer = next(word for word in words if word in GOOD + BAD)
    context = " ".join(words)
    answers = {"text": [answer], "answer_start": [context.index(answer)]}
    return {"question": "word3", "context": context, "answers": answers}


def text(rng):
    return {"text": " ".join(words_of(rng))}


CASES = {
    "pairs": (pair, {"task": "text_classification"}, ("accuracy", "f1")),
    "multi_label": (several_labels, {"task": "text_classification"}, ("f1", "precision", "recall")),
    "regression": (score, {"task": "text_classification"}, ("pearson", "spearmanr", "mse")),
    "tokens": (tagged, {"task": "token_classification"}, ("f1", "precision", "recall", "accuracy")),
    "answers": (question, {"task": "question_answering", "task_args": '{"doc_stride": 4}'}, ("f1", "exact_match")),
    "masked": (text, {"task": "masked_language_modeling", "task_args": '{"line_by_line": true}'},
               ("accuracy", "perplexity")),
}  # fmt: skip
"""Kind of data: one row, settings of fetch_dataset, and metrics, that by which models are compared first."""


@pytest.fixture(scope="module", params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in CASES])
def run(request, tmp_path_factory):
    """The kind of data, and a folder with what every step made of it."""
    row, data, metrics = CASES[request.param]
    root = tmp_path_factory.mktemp(request.param)
    rng = random.Random(7)
    files = {}
    for split, num_rows in (("train", 48), ("validation", 24), ("test", 16)):
        path = root / f"{split}.jsonl"
        path.write_text("".join(json.dumps(row(rng)) + "\n" for _ in range(num_rows)))
        files[f"{split}_file"] = str(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSE_CORE_CACHE", str(root / "cache"))
        fetch_dataset(root / "dataset", **files, **data)
        fetch_recipe(root / "dense_recipe", recipe="dense/base", recipe_args='{"num_epochs": 2, "init_lr": 0.003}')
        fetch_recipe(root / "recipe", recipe="sparsify/gradual_quant", recipe_args=json.dumps(RECIPE_ARGS))
        write_model(root / "dense")
        train_teacher(root / "dense", root / "dataset", root / "dense_recipe", root / "teacher", **SETTINGS)
        common = {"dataset": root / "dataset", "recipe": root / "recipe", "teacher": root / "teacher"}
        prune(root / "teacher", output=root / "sparse", **common, **SETTINGS)
        qat_finalize(root / "sparse", output=root / "quantized", **common, **SETTINGS)
        exported = export_onnx(root / "quantized", root / "dataset", root / "onnx", max_seq_length=16,
                               min_agreement=0.9, max_metric_loss=0.1)  # fmt: skip
    return root, metrics, exported


def weights(directory):
    return load_file(directory / "model.safetensors")


def test_the_zeros_are_exact_and_stay(run):
    root, *_ = run
    for directory in ("sparse", "quantized"):
        pruned = {name: w for name, w in weights(root / directory).items() if ".layer." in name and w.dim() == 2}
        assert len(pruned) == 12
        assert {round(float((w == 0).float().mean()), 2) for w in pruned.values()} == {SPARSITY}, directory


def test_two_steps_equal_the_recipe_in_one_go(run, tmp_path):
    root, *_ = run
    metrics = run_training(
        "one_go", root / "teacher", root / "dataset", load_recipe(root / "recipe"), tmp_path / "one_go",
        prune.read_settings(SETTINGS), teacher=root / "teacher",
    )  # fmt: skip
    first, second = weights(root / "quantized"), weights(tmp_path / "one_go")
    assert first.keys() == second.keys()
    assert [name for name in first if not first[name].equal(second[name])] == []
    assert metrics == RunRecord.read(root / "quantized").metrics


def test_metrics_and_onnx_parity(run):
    root, metrics, exported = run
    scores = RunRecord.read(root / "quantized").metrics
    assert {f"eval_{name}" for name in metrics} <= set(scores)
    assert exported["agreement"] >= 0.9
    verification = json.loads((root / "onnx" / "verification.json").read_text())
    assert verification["metric"] == metrics[0]
    # other batches than in the evaluation: at the border between two codes that changes single predictions of 24 rows
    assert verification["torch_metrics"][metrics[0]] == pytest.approx(scores[f"eval_{metrics[0]}"], abs=0.1)
    graph = onnx.load(root / "onnx" / "model.onnx").graph
    assert "DequantizeLinear" in {node.op_type for node in graph.node}
    assert (root / "onnx" / "tokenizer.json").is_file()


def test_the_report_has_every_metric_of_every_engine(run, tmp_path):
    root, metrics, _ = run
    benchmark(
        {"dense": root / "teacher", "sparse": root / "sparse", "qat": root / "quantized", "deployed": root / "onnx"},
        root / "dataset", tmp_path / "report",
        max_seq_length=16, batch_sizes="1", sequence_lengths="8", num_runs=2, num_warmup_runs=1,
        engines="torch,onnxruntime",
    )  # fmt: skip
    report = Report.read(tmp_path / "report")
    assert report.data.metric == metrics[0]
    measured = {(score.candidate, score.engine): score.metrics for score in report.scores}
    assert set(measured) == {("dense", "torch"), ("dense", "onnxruntime"), ("sparse", "torch"), ("qat", "torch"),
                             ("deployed", "torch"), ("deployed", "onnxruntime")}  # fmt: skip
    assert measured["deployed", "torch"] == measured["qat", "torch"]
    for values in measured.values():
        assert set(metrics) <= set(values)
    dense = measured["dense", "torch"]
    assert {name: measured["dense", "onnxruntime"][name] for name in metrics} == pytest.approx(
        {name: dense[name] for name in metrics},
        abs=2e-3,  # a correlation of outputs that hardly vary magnifies 1e-6
    )
    page = (tmp_path / "report" / "report.html").read_text()
    assert metrics[0] in page and metrics[-1] in page
