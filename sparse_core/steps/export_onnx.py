"""Step: turn a trained model into a verified ONNX deployment."""

from __future__ import annotations

from pathlib import Path

from sparse_core.export.options import ExportOptions
from sparse_core.fields import Options
from sparse_core.steps.spec import Kind, MaxSeqLength, Port, step
from sparse_core.store import identity


class ExportOnnxSettings(Options):
    """Settings of `export_onnx`."""

    max_seq_length: MaxSeqLength = 128
    export_options: ExportOptions = ExportOptions()


@step(
    inputs=(
        Port("model", Kind.MODEL, "Trained model; a quantized one gets int8 weights, any other float32 weights."),
        Port("dataset", Kind.DATASET, "Dataset artifact; torch and ONNX Runtime predict its validation split."),
    ),
    output=Port("deployment", Kind.DEPLOYMENT, "The ONNX file and everything that an application needs to use it."),
    settings=ExportOnnxSettings,
)
def export_onnx(model: Path, dataset: Path, output: Path, settings: ExportOnnxSettings) -> dict[str, float | int | str]:
    """Exports a model to ONNX and publishes it only if ONNX Runtime agrees with torch on validation rows.

    Returns:
        Agreement, metrics and size of the file.

    Raises:
        ExportError: ONNX Runtime disagrees beyond the tolerance; nothing is published.
    """
    from sparse_core.artifacts.dataset import read_schema
    from sparse_core.export.job import ExportJob, RowCheck
    from sparse_core.export.verify import Tolerance

    options = settings.export_options
    check = RowCheck(
        dataset,
        settings.max_seq_length,
        Tolerance(options.min_agreement, options.max_metric_loss),
        options.num_verification_rows,
    )
    record = {"contents": {"model": identity(model)}}
    return ExportJob(model, read_schema(dataset), options, settings.max_seq_length, check, record=record).run(output)
