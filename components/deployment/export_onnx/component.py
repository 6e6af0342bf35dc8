"""The KFP component `export_onnx`, written by `make components` from its step. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def export_onnx(
    model: dsl.Input[dsl.Model],
    dataset: dsl.Input[dsl.Dataset],
    deployment: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    max_seq_length: int = 128,
    export_options: dict = {},
) -> None:
    """Exports a model to ONNX and publishes it only if ONNX Runtime agrees with torch on validation rows.

    Args:
        model: Trained model; a quantized one gets int8 weights, any other float32 weights.
        dataset: Dataset artifact; torch and ONNX Runtime predict its validation split.
        deployment: The ONNX file and everything that an application needs to use it.
        metrics: The numbers that the step returns, and step_seconds.
        max_seq_length: Longest row in tokens; the tokens beyond it are cut off.
        export_options: How a model is written as ONNX, and how closely ONNX Runtime must agree with torch. Keys:
            opset, weight_type, min_agreement, max_metric_loss, num_verification_rows.
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.export_onnx import export_onnx as step

    run_step(
        step,
        metrics,
        model=model,
        dataset=dataset,
        output=deployment,
        max_seq_length=max_seq_length,
        export_options=export_options,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(export_onnx, package_path=__file__.replace(".py", ".yaml"))
