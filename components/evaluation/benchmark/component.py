"""The KFP component `benchmark`, made from its step by `make components`. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def benchmark(
    teacher: dsl.Input[dsl.Model],
    sparse: dsl.Input[dsl.Model],
    quantized: dsl.Input[dsl.Model],
    deployment: dsl.Input[dsl.Model],
    dataset: dsl.Input[dsl.Dataset],
    report: dsl.Output[dsl.Artifact],
    html: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
    max_seq_length: int = 128,
    benchmark_options: dict = {},
) -> None:
    """Measures accuracy, sparsity, size, latency and memory of the models and writes report.json and report.html.

    Args:
        teacher: The dense model.
        sparse: The pruned float32 model.
        quantized: The final model, as torch runs it.
        deployment: Output of export_onnx for the final model.
        dataset: Dataset artifact; accuracy is measured on its test split, else on validation.
        report: report.json, report.html and summary.json.
        html: report.html, for the web page of the run.
        metrics: Numbers that the step returns, and step_seconds.
        max_seq_length: Longest row in tokens; the tokens beyond it are cut off.
        benchmark_options: What to measure, and how often. Keys: batch_sizes, sequence_lengths, num_threads,
            num_runs, num_warmup_runs, engines.
    """
    import shutil
    from pathlib import Path

    from sparse_core.cli.component import run_step
    from sparse_core.steps.benchmark import benchmark as step

    run_step(
        step,
        metrics,
        teacher=teacher,
        sparse=sparse,
        quantized=quantized,
        deployment=deployment,
        dataset=dataset,
        output=report,
        max_seq_length=max_seq_length,
        benchmark_options=benchmark_options,
    )
    shutil.copyfile(Path(report.path) / "report.html", html.path)


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(benchmark, package_path=__file__.replace(".py", ".yaml"))
