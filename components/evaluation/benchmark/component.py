"""The KFP component `benchmark`: a thin call of `sparse_core.steps.benchmark`.

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
    batch_sizes: str = "1,16",
    sequence_lengths: str = "32,128",
    num_threads: int = 0,
    num_runs: int = 30,
    num_warmup_runs: int = 5,
    engines: str = "",
) -> None:
    """Measures accuracy, sparsity, size, latency and memory of the models and writes report.json and report.html.

    Args:
        teacher: model artifact of the dense model.
        sparse: model artifact of the pruned float32 model.
        quantized: model artifact of the final model, as torch runs it.
        deployment: output of export_onnx for the final model.
        dataset: dataset artifact; accuracy is measured on its test split, or on validation when it has no test
            split.
        report: report.json, report.html and summary.json.
        html: report.html, for the web page of the run.
        metrics: the numbers that the step returns, and step_seconds.
        max_seq_length: longest input in tokens for accuracy; longer rows are cut.
        batch_sizes: batch sizes of the latency sweep, separated by commas.
        sequence_lengths: input lengths in tokens of the latency sweep, separated by commas.
        num_threads: threads for every engine; 0: one per core that this process may use.
        num_runs: timed runs of each model in each engine at each input shape.
        num_warmup_runs: untimed runs before those.
        engines: engines to measure, separated by commas: torch, onnxruntime, openvino, deepsparse; empty: all that
            are installed.
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
        batch_sizes=batch_sizes,
        sequence_lengths=sequence_lengths,
        num_threads=num_threads,
        num_runs=num_runs,
        num_warmup_runs=num_warmup_runs,
        engines=engines,
    )
    shutil.copyfile(Path(report.path) / "report.html", html.path)


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(benchmark, package_path=__file__.replace(".py", ".yaml"))
