"""Step: turn a trained model into a verified ONNX deployment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sparse_core.artifacts.record import RunRecord
from sparse_core.export.options import ExportOptions
from sparse_core.fields import Options
from sparse_core.steps.spec import Kind, MaxSeqLength, Port, step
from sparse_core.store import identity, publishing, require_room, write_json

if TYPE_CHECKING:
    from sparse_core.export.verify import Verification

_DEPLOYMENT_NAME = "deployment"


class ExportOnnxSettings(Options):
    """Settings of `export_onnx`."""

    max_seq_length: MaxSeqLength = 128
    export_options: ExportOptions = ExportOptions()


@step(
    inputs=(
        Port("model", Kind.MODEL, "Trained model; a quantized one is written with int8 weights, others as float32."),
        Port("dataset", Kind.DATASET, "Dataset artifact, whose validation split both runtimes predict."),
    ),
    output=Port("deployment", Kind.DEPLOYMENT, "The ONNX file with all that an application needs to use it."),
    settings=ExportOnnxSettings,
)
def export_onnx(model: Path, dataset: Path, output: Path, settings: ExportOnnxSettings) -> dict[str, float | int | str]:
    """Exports a model to ONNX and publishes it only if ONNX Runtime agrees with torch on validation rows.

    Returns:
        Agreement, metrics and size of the file.

    Raises:
        ExportError: ONNX Runtime disagrees beyond the tolerance; nothing is published.
    """
    opset, weight_type = settings.export_options.opset, settings.export_options.weight_type
    max_seq_length, options = settings.max_seq_length, settings.export_options
    min_agreement, max_metric_loss = options.min_agreement, options.max_metric_loss
    num_verification_rows = options.num_verification_rows
    from sparse_core.artifacts.recipe import RECIPE_NAME
    from sparse_core.export.deployment import MODEL_NAME, write_deployment
    from sparse_core.export.onnx import export_model, model_inputs
    from sparse_core.export.verify import Tolerance, verify
    from sparse_core.tasks import read_examples, read_schema, task_of

    schema = read_schema(dataset)
    task = task_of(schema)
    network = task.load_model(model, schema, trained_head=True)
    tokenizer = task.load_tokenizer(model)
    require_room(output, sum(weight.nbytes for weight in network.parameters()), "the exported model")
    with publishing(output) as staging:
        deployment = staging / _DEPLOYMENT_NAME
        deployment.mkdir()
        onnx_file = deployment / MODEL_NAME
        inputs = [name for name in model_inputs(network) if name in tokenizer.model_input_names]
        stored_type = export_model(network, onnx_file, opset=opset, weight_type=weight_type, input_names=inputs)
        rows = task.load_split(dataset, "validation", tokenizer, max_seq_length)
        verification = verify(
            network,
            onnx_file,
            task,
            rows.select(_spread(len(rows), num_verification_rows)),
            read_examples(dataset, "validation"),
            task.collator(tokenizer),
            tolerance=Tolerance(min_agreement, max_metric_loss),
        )
        write_json(staging / "verification.json", verification.to_dict())
        stored_as = stored_type or "float32"
        facts = {"opset": opset, "weight_type": stored_as, "inputs": inputs, "contents": {"model": identity(model)}}
        write_deployment(
            deployment, network, tokenizer, task, max_seq_length, model / RECIPE_NAME, schema.label_names, **facts
        )
        size_bytes = onnx_file.stat().st_size
        RunRecord(step="export_onnx", settings={"opset": opset}).write(staging)
    return {"weight_type": stored_as, "onnx_size_bytes": size_bytes, **_summary(verification)}


def _spread(num_available: int, num_wanted: int) -> list[int]:
    """Numbers of so many rows, or of all there are, spread over a split: files are often sorted by label."""
    num_rows = min(num_wanted, num_available)
    return [index * num_available // num_rows for index in range(num_rows)]


def _summary(verification: Verification) -> dict[str, float | int | str]:
    """The verification as flat scalars, the worse of the two sessions where there are two values."""
    results = verification.sessions.values()
    torch_metrics, onnx_metrics = verification.torch_metrics, verification.sessions["optimized"].metrics
    return {
        "num_verification_rows": verification.num_rows,
        "agreement": min(result.agreement for result in results),
        "rounding_agreement": verification.rounding_agreement,
        "max_abs_difference": max(result.max_abs_difference for result in results),
        **{f"torch_{name}": value for name, value in torch_metrics.items()},
        **{f"onnx_{name}": value for name, value in onnx_metrics.items()},
    }
