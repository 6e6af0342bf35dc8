"""The KFP component `benchmark`, written by `make components` from its step. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def benchmark(
    dataset: dsl.Input[dsl.Dataset],
    report: dsl.Output[dsl.Artifact],
    html: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
    candidate_names: list,
    candidate_1: dsl.Input[dsl.Model] = None,
    candidate_2: dsl.Input[dsl.Model] = None,
    candidate_3: dsl.Input[dsl.Model] = None,
    candidate_4: dsl.Input[dsl.Model] = None,
    candidate_5: dsl.Input[dsl.Model] = None,
    candidate_6: dsl.Input[dsl.Model] = None,
    candidate_7: dsl.Input[dsl.Model] = None,
    candidate_8: dsl.Input[dsl.Model] = None,
    reference: str = "",
    max_seq_length: int = 128,
    benchmark_options: dict = {},
) -> None:
    """Compares the accuracy, sparsity, size, latency and memory of models and deployments in a report.

    Args:
        dataset: Dataset artifact; its test split gives the accuracy, or validation if there is no test split.
        report: report.json, report.html and summary.json.
        html: report.html, for KFP's page of the run.
        metrics: The numbers that the step returns, and step_seconds.
        candidate_names: Names of candidates, in the order of their inputs.
        candidate_1: Models to compare, up to 8, each with a name: Hugging Face models and deployments of
            export_onnx.
        candidate_2: As candidate_1.
        candidate_3: As candidate_1.
        candidate_4: As candidate_1.
        candidate_5: As candidate_1.
        candidate_6: As candidate_1.
        candidate_7: As candidate_1.
        candidate_8: As candidate_1.
        reference: Name of the candidate that the others are compared with; empty: the first one.
        max_seq_length: Longest row in tokens; the tokens beyond it are cut off.
        benchmark_options: What to measure, and how often. Keys: batch_sizes, sequence_lengths, num_threads,
            num_runs, num_warmup_runs, engines.
    """
    import shutil
    from pathlib import Path

    from sparse_core.cli.component import run_step
    from sparse_core.steps.benchmark import benchmark as step

    inputs = [candidate_1, candidate_2, candidate_3, candidate_4, candidate_5, candidate_6, candidate_7, candidate_8]
    candidates = dict(zip(candidate_names, [i for i in inputs if i is not None], strict=True))
    run_step(
        step,
        metrics,
        candidates=candidates,
        dataset=dataset,
        output=report,
        reference=reference,
        max_seq_length=max_seq_length,
        benchmark_options=benchmark_options,
    )
    shutil.copyfile(Path(report.path) / "report.html", html.path)


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(benchmark, package_path=__file__.replace(".py", ".yaml"))
