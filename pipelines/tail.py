"""The end of every pipeline: export, benchmark, and the outputs."""

from typing import Any, NamedTuple

from kfp import dsl

from sparse_pipelines.components.deployment.export_onnx import export_onnx
from sparse_pipelines.components.evaluation.benchmark import benchmark


class Outputs(NamedTuple):
    """Output artifacts of a pipeline; KFP needs a NamedTuple of artifact types."""

    report: dsl.Artifact
    """Folder with report.json, report.html and summary.json."""
    html: dsl.HTML
    """The report as one page."""
    deployment: dsl.Model
    """The deployment folder."""


def export_and_benchmark(
    *,
    teacher: Any,
    sparse: Any,
    quantized: Any,
    dataset: Any,
    max_seq_length: Any,
    export_options: Any,
    benchmark_options: Any,
) -> Outputs:
    """Exports the quantized model and compares all models of the pipeline; call it inside a pipeline."""
    deployment = export_onnx(
        model=quantized, dataset=dataset, max_seq_length=max_seq_length, export_options=export_options
    ).outputs["deployment"]
    measured = benchmark(
        candidate_names=["dense", "sparse", "quantized", "deployed"],
        candidate_1=teacher,
        candidate_2=sparse,
        candidate_3=quantized,
        candidate_4=deployment,
        dataset=dataset,
        max_seq_length=max_seq_length,
        benchmark_options=benchmark_options,
    )
    return Outputs(report=measured.outputs["report"], html=measured.outputs["html"], deployment=deployment)
