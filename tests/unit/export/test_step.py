"""The step as a whole, on a model and a data set of a few rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pytest
import torch
from transformers import PreTrainedModel

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.errors import ConfigError, ExportError, OutputError
from sparse_core.export.job import spread
from sparse_core.steps.export_onnx import export_onnx
from tests.unit.export.conftest import WORDS, make_tokenizer

KINDS: dict[str, dict[str, Any]] = {
    "classes": {"label": pa.array([0] * 20 + [1] * 20, pa.int64()), "names": ["0", "1"], "args": {}},
    "lists": {
        "label": pa.array([[0], [0, 1], [], [1]] * 10, pa.list_(pa.int64())),
        "names": ["0", "1"],
        "args": {"problem_type": "multi_label_classification", "num_labels": 2},
    },
    "numbers": {
        "label": pa.array([index / 8 for index in range(40)], pa.float64()),
        "names": [],
        "args": {"problem_type": "regression", "agreement_tolerance": 0.5},
    },
}


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Forty validation rows of one to eight words, sorted by label."""

    def make(kind: str = "classes") -> Path:
        values = KINDS[kind]
        directory = tmp_path / "dataset"
        directory.mkdir()
        generator = np.random.default_rng(0)
        texts = [" ".join(generator.choice(WORDS[2:], generator.integers(1, 9))) for _ in range(40)]
        table = pa.table({"text": texts, "label": values["label"]})
        for split in ("train", "validation"):
            with (
                pa.OSFile(str(directory / f"{split}.arrow"), "wb") as sink,
                pa.ipc.new_stream(sink, table.schema) as writer,
            ):
                writer.write_table(table)
        columns = {"text": "text", "label": "label"}
        num_rows = {"train": 40, "validation": 40}
        DatasetSchema("text_classification", columns, values["names"], num_rows, values["args"]).write(directory)
        return directory

    return make


@pytest.fixture
def dataset(make_dataset: Callable[..., Path]) -> Path:
    return make_dataset()


@pytest.fixture
def save(tmp_path: Path) -> Callable[[PreTrainedModel], Path]:
    """Saves a model with a tokenizer and a recipe as a Model artifact."""

    def save(model: PreTrainedModel) -> Path:
        directory = tmp_path / "model"
        if model.config.num_labels == 2:
            model.config.id2label, model.config.label2id = {0: "0", 1: "1"}, {"0": 0, "1": 1}
        model.save_pretrained(directory)
        make_tokenizer().save_pretrained(directory)
        (directory / "recipe.yaml").write_text("modifiers: []\n", encoding="utf-8")
        return directory

    return save


Save = Callable[[PreTrainedModel], Path]


def test_quantized_model_is_published_with_its_verification(
    make_quantized: Callable[..., PreTrainedModel], save: Save, dataset: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    values = export_onnx(save(make_quantized()), dataset, output, max_seq_length=32, min_agreement=0.9)
    assert values["weight_type"] == "int8"
    assert values["num_verification_rows"] == 40
    assert values["agreement"] >= 0.9
    assert values["onnx_size_bytes"] == (output / "model.onnx").stat().st_size
    assert {"model.onnx", "config.json", "tokenizer.json", "verification.json", "manifest.json"} <= {
        path.name for path in output.iterdir()
    }
    assert (output / "recipe.yaml").is_file()
    verification = json.loads((output / "verification.json").read_text())
    assert verification["sessions"]["optimized"]["agreement"] >= 0.9
    assert "model.onnx" in json.loads((output / "manifest.json").read_text())["files"]
    manifest = json.loads((output / "manifest.json").read_text())
    assert (manifest["task"], manifest["max_seq_length"]) == ("text_classification", 32)
    assert manifest["task_args"]["threshold"] == 0.3
    assert {"torch_accuracy", "onnx_accuracy", "torch_f1", "onnx_f1"} <= set(values)
    assert all(isinstance(value, (int, float, str)) for value in values.values())


@pytest.mark.parametrize(("kind", "metrics"), [("lists", {"f1", "macro_f1"}), ("numbers", {"pearson", "mse"})])
def test_other_kinds_of_label(
    make_bert: Callable[..., PreTrainedModel],
    save: Save,
    make_dataset: Callable[..., Path],
    tmp_path: Path,
    kind: str,
    metrics: set[str],
) -> None:
    model = save(make_bert(num_labels=len(KINDS[kind]["names"]) or 1))
    values = export_onnx(model, make_dataset(kind), tmp_path / "out", max_seq_length=32, min_agreement=1.0)
    assert {f"{engine}_{metric}" for engine in ("torch", "onnx") for metric in metrics} <= set(values)
    assert (tmp_path / "out/labels.json").exists() == (kind == "lists")


def test_inputs_are_those_of_the_tokenizer(
    make_bert: Callable[..., PreTrainedModel], save: Save, dataset: Path, tmp_path: Path
) -> None:
    values = export_onnx(save(make_bert()), dataset, tmp_path / "out", max_seq_length=32)
    assert values["weight_type"] == "float32"
    assert values["agreement"] == 1.0
    graph = onnx.load(tmp_path / "out/model.onnx").graph
    assert {entry.name for entry in graph.input} <= {"input_ids", "attention_mask", "token_type_ids"}


def test_nothing_is_published_when_verification_fails(
    make_quantized: Callable[..., PreTrainedModel],
    save: Save,
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sparse_core.export import job as export

    model = save(make_quantized())
    export_model = export.export_model

    def spoiled(network: PreTrainedModel, *args: Any, **kwargs: Any) -> Any:
        written = export_model(network, *args, **kwargs)
        with torch.no_grad():
            network.classifier.weight.neg_()
            network.classifier.bias.neg_()
        return written

    monkeypatch.setattr(export, "export_model", spoiled)
    with pytest.raises(ExportError) as caught:
        export_onnx(model, dataset, tmp_path / "out", max_seq_length=32)
    assert caught.value.setting == "min_agreement"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dataset", "model"]


def test_output_in_use_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "kept.txt").write_text("kept")
    with pytest.raises(OutputError) as caught:
        export_onnx(tmp_path, tmp_path, tmp_path)
    assert caught.value.setting == "output"
    assert (tmp_path / "kept.txt").read_text() == "kept"


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"min_agreement": 1.5}, "min_agreement"),
        ({"max_metric_loss": -0.1}, "max_metric_loss"),
        ({"num_verification_rows": 0}, "num_verification_rows"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path: Path, settings: dict[str, Any], setting) -> None:
    with pytest.raises(ConfigError) as caught:
        export_onnx(tmp_path, tmp_path, tmp_path / "out", **settings)
    assert caught.value.setting == setting


@pytest.mark.parametrize(
    ("available", "asked", "expected"), [(10, 4, [0, 2, 5, 7]), (3, 8, [0, 1, 2]), (40, 40, list(range(40)))]
)
def test_verification_rows_are_spread_over_the_split(available: int, asked: int, expected: list[int]) -> None:
    assert spread(available, asked) == expected
