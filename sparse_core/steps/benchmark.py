"""Step: compare the dense, the sparse and the deployed model, and write the report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.benchmark.options import BenchmarkOptions
from sparse_core.fields import Options
from sparse_core.steps.spec import Kind, MaxSeqLength, Port, step

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedModel

    from sparse_core.benchmark.settings import BenchmarkSettings
    from sparse_core.benchmark.subjects import BenchmarkedModel
    from sparse_core.tasks import DatasetSchema, Task
    from sparse_core.tasks.base import Collator
    from sparse_core.tasks.inference import Forward

_EVAL_BATCH_SIZE = 16
_FLOAT_BYTES = 4


class BenchmarkStepSettings(Options):
    """Settings of `benchmark`."""

    max_seq_length: MaxSeqLength = 128
    benchmark_options: BenchmarkOptions = BenchmarkOptions()


@step(
    inputs=(
        Port("teacher", Kind.MODEL, "The dense model."),
        Port("sparse", Kind.MODEL, "The pruned float32 model."),
        Port("quantized", Kind.MODEL, "The final model, as torch runs it."),
        Port("deployment", Kind.DEPLOYMENT, "Output of export_onnx for the final model."),
        Port("dataset", Kind.DATASET, "Dataset artifact; accuracy is measured on its test split, else on validation."),
    ),
    output=Port("report", Kind.REPORT, "report.json, report.html and summary.json."),
    settings=BenchmarkStepSettings,
)
def benchmark(
    teacher: Path,
    sparse: Path,
    quantized: Path,
    deployment: Path,
    dataset: Path,
    output: Path,
    settings: BenchmarkStepSettings,
) -> dict[str, float]:
    """Measures accuracy, sparsity, size, latency and memory of the models and writes report.json and report.html.

    Returns:
        The numbers of summary.json by name, all finite floats.

    Raises:
        ConfigError: a setting is out of range.
        DependencyError: an engine or matplotlib is not installed.
        ModelError: a model artifact is incomplete, or the deployment is of another task.
    """
    from sparse_core.artifacts.model import Model
    from sparse_core.artifacts.record import RunRecord
    from sparse_core.benchmark.plots import require_matplotlib
    from sparse_core.benchmark.provenance import command_line, require_same_task
    from sparse_core.benchmark.report import write_report
    from sparse_core.benchmark.settings import parse_settings
    from sparse_core.store import publishing
    from sparse_core.tasks import read_schema, task_of
    from sparse_core.tasks.tokenizers import max_tokens

    paths = {"teacher": teacher, "sparse": sparse, "quantized": quantized, "deployment": deployment, "dataset": dataset}
    given: dict[str, Any] = {"max_seq_length": settings.max_seq_length, **settings.benchmark_options.model_dump()}
    measured = parse_settings(**given)
    require_matplotlib()
    schema = read_schema(dataset)
    require_same_task(deployment, schema.task, task_of(schema).output_names, schema.label_names)
    for model in (teacher, sparse, quantized):
        measured.check_positions(model, max_tokens(Model(model).config()))
    with publishing(output) as staging, _torch_threads(measured.num_threads):
        report = _compare(_Artifacts(**paths), measured)
        report["command"] = command_line("benchmark", {**paths, "output": output, **given})
        results = write_report(report, staging)
        RunRecord(step="benchmark", settings=given).write(staging)
        return results


@dataclass(frozen=True)
class _Artifacts:
    teacher: Path
    sparse: Path
    quantized: Path
    deployment: Path
    dataset: Path


@dataclass(frozen=True)
class _Evaluation:
    """The rows that accuracy is measured on, and what to do with them."""

    dataset: Path
    task: Task
    schema: DatasetSchema
    split: str
    examples: Dataset
    max_seq_length: int
    _by_tokenizer: dict[str, tuple[Dataset, Collator]] = field(default_factory=dict)

    def rows(self, model: Path) -> tuple[Dataset, Collator]:
        """The rows in the tokens of a model, and what makes batches of them; a teacher may have tokens of its own."""
        from sparse_core.tasks.tokenizers import tokenizer_fingerprint

        tokenizer = self.task.load_tokenizer(model)
        key = tokenizer_fingerprint(tokenizer)
        if key not in self._by_tokenizer:
            rows = self.task.load_split(self.dataset, self.split, tokenizer, self.max_seq_length)
            self._by_tokenizer[key] = rows, self.task.collator(tokenizer)
        return self._by_tokenizer[key]

    def accuracy(self, variant: str, model: Path, engine: str, forward: Forward) -> dict[str, Any]:
        """The entry of report.json for a variant that `forward` runs in an engine."""
        from sparse_core.tasks.inference import predict

        rows, collator = self.rows(model)
        predictions = predict(forward, self.task, rows, collator, _EVAL_BATCH_SIZE)
        metrics = self.task.score(predictions, rows, self.examples)
        return {
            "variant": variant,
            "engine": engine,
            "value": metrics[self.task.primary_metric],
            "metrics": metrics,
            "split": self.split,
            "num_rows": len(self.examples),
        }


def _compare(artifacts: _Artifacts, settings: BenchmarkSettings) -> dict[str, Any]:
    """All of report.json but the command."""
    import tempfile
    import time

    from sparse_core.artifacts.model import Model
    from sparse_core.benchmark.hardware import installed_versions, read_hardware
    from sparse_core.benchmark.provenance import read_verification, report_title, training_runs
    from sparse_core.benchmark.subjects import measure_models

    config = Model(artifacts.quantized).config()
    vocab_size = min(Model(model).config()["vocab_size"] for model in (artifacts.teacher, artifacts.quantized))
    evaluation = _load_evaluation(artifacts, settings.max_seq_length)
    with tempfile.TemporaryDirectory() as scratch:
        models, accuracy = _examine(artifacts, evaluation, Path(scratch))
        accuracy += _onnxruntime_accuracy(models, evaluation, settings.num_threads)
        measured = measure_models(models, settings, vocab_size)
    return {
        "title": report_title(config, evaluation.schema.task),
        "created_unix": int(time.time()),
        "settings": settings.as_row(),
        "hardware": asdict(read_hardware()),
        "versions": installed_versions(),
        "data": {
            "task": evaluation.schema.task,
            "metric": evaluation.task.primary_metric,
            "split": evaluation.split,
            "num_rows": len(evaluation.examples),
            "num_rows_by_split": evaluation.schema.num_rows,
            "label_names": evaluation.schema.label_names,
        },
        "models": [model.as_row() for model in models],
        "accuracy": accuracy,
        **asdict(measured),
        "training": training_runs(
            [("teacher", artifacts.teacher), ("sparse", artifacts.sparse), ("final", artifacts.quantized)]
        ),
        "timeline": _timeline(artifacts.quantized),
        "verification": read_verification(artifacts.deployment),
    }


def _load_evaluation(artifacts: _Artifacts, max_seq_length: int) -> _Evaluation:
    from sparse_core.tasks import read_examples, read_schema, task_of

    schema = read_schema(artifacts.dataset)
    split = "test" if "test" in schema.num_rows else "validation"
    examples = read_examples(artifacts.dataset, split)
    return _Evaluation(artifacts.dataset, task_of(schema), schema, split, examples, max_seq_length)


def _examine(
    artifacts: _Artifacts, evaluation: _Evaluation, scratch: Path
) -> tuple[list[BenchmarkedModel], list[dict[str, Any]]]:
    """Loads one variant after the other in torch: its sparsity, its accuracy, and the ONNX file that stands for it.

    The exports of the float variants go to `scratch`, with the opset of the deployed file.
    """
    from sparse_core.benchmark.model_files import describe_onnx
    from sparse_core.benchmark.provenance import deployed_model, made_by
    from sparse_core.benchmark.subjects import DENSE, DEPLOYED, SPARSE, BenchmarkedModel
    from sparse_core.modifiers.pruning.report import sparsity_report
    from sparse_core.tasks.inference import torch_forward

    directories = {DENSE: artifacts.teacher, SPARSE: artifacts.sparse, DEPLOYED: artifacts.quantized}
    files = {
        DENSE: scratch / "dense.onnx",
        SPARSE: scratch / "sparse.onnx",
        DEPLOYED: deployed_model(artifacts.deployment),
    }
    deployed_file = describe_onnx(files[DEPLOYED])
    models, accuracy = [], []
    for variant, directory in directories.items():
        module = evaluation.task.load_model(directory, evaluation.schema, trained_head=True)
        accuracy.append(evaluation.accuracy(variant, directory, "torch", torch_forward(module, evaluation.task)))
        if variant != DEPLOYED:
            rows, _ = evaluation.rows(directory)
            _export_float(module, files[variant], deployed_file.opset, rows.column_names)
        zeros = sparsity_report(module)
        models.append(
            BenchmarkedModel(
                variant=variant,
                directory=directory,
                onnx=files[variant],
                file=deployed_file if variant == DEPLOYED else describe_onnx(files[variant]),
                made_by=made_by(directory),
                num_parameters=module.num_parameters(),
                encoder_sparsity=zeros.encoder,
                model_sparsity=zeros.model,
                sparsity_by_kind=zeros.by_kind,
                sparsity_by_layer=zeros.layers,
            )
        )
    return models, accuracy


def _export_float(module: PreTrainedModel, path: Path, opset: int, columns: list[str]) -> None:
    """Writes a float model as ONNX with those inputs that the tokenized rows have."""
    from sparse_core.export.onnx import export_model, model_inputs
    from sparse_core.store import require_room

    require_room(path.parent, module.num_parameters() * _FLOAT_BYTES, "an ONNX file to measure")
    inputs = [name for name in model_inputs(module) if name in columns]
    export_model(module, path, opset=opset, input_names=inputs)


def _onnxruntime_accuracy(
    models: list[BenchmarkedModel], evaluation: _Evaluation, num_threads: int
) -> list[dict[str, Any]]:
    """Accuracy of the dense and of the deployed file; the sparse float file is a float export like the dense one."""
    from sparse_core.benchmark.engines import ENGINES, REFERENCE_ENGINE
    from sparse_core.benchmark.subjects import SPARSE

    entries = []
    for model in models:
        if model.variant != SPARSE:
            forward = ENGINES[REFERENCE_ENGINE].load(model.onnx, num_threads)
            entries.append(evaluation.accuracy(model.variant, model.directory, REFERENCE_ENGINE, forward))
    return entries


def _timeline(model: Path) -> list[dict[str, Any]]:
    """The modifiers of the recipe that a model was trained by, with the epochs in which they act."""
    from sparse_core.artifacts.recipe import RECIPE_NAME
    from sparse_core.recipe import load_recipe

    if not (model / RECIPE_NAME).is_file():
        return []
    recipe = load_recipe(model)
    return [
        {
            "name": type(modifier).__name__.removesuffix("Modifier"),
            "start_epoch": modifier.begins_at,
            "end_epoch": modifier.ends_at(recipe.num_epochs),
        }
        for modifier in recipe.modifiers
    ]


@contextmanager
def _torch_threads(num_threads: int) -> Iterator[None]:
    """Lets torch use `num_threads` threads inside the block, and as many as before after it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
