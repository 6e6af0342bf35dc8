"""The KFP component `export_onnx`: a thin call of `sparse_core.steps.export_onnx`.

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
    opset: int = 14,
    weight_type: str = "auto",
    max_seq_length: int = 128,
    min_agreement: float = 0.99,
    max_metric_loss: float = 0.005,
    num_verification_rows: int = 1000,
) -> None:
    """Exports a model to ONNX and publishes it only if ONNX Runtime agrees with torch on validation rows.

    Args:
        model: Model artifact; a quantized one is written with int8 weights, another as float32.
        dataset: Dataset artifact, whose validation split both runtimes predict.
        deployment: the folder deployment/ with model.onnx, and verification.json.
        metrics: the numbers that the step returns, and step_seconds.
        opset: ONNX opset version, 13 to 17.
        weight_type: How weights of quantized Linear layers are stored: int8, uint8, or auto, which takes int8 where
            no CPU can overflow.
        max_seq_length: Longest row in tokens; longer ones are cut for the verification.
        min_agreement: Smallest share of the decisions on validation rows that both must make alike, 0 to 1.
        max_metric_loss: Largest drop of the task's metric from torch to ONNX Runtime.
        num_verification_rows: How many validation rows to compare, spread evenly over the split.
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.export_onnx import export_onnx as step

    run_step(
        step,
        metrics,
        model=model,
        dataset=dataset,
        output=deployment,
        opset=opset,
        weight_type=weight_type,
        max_seq_length=max_seq_length,
        min_agreement=min_agreement,
        max_metric_loss=max_metric_loss,
        num_verification_rows=num_verification_rows,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(export_onnx, package_path=__file__.replace(".py", ".yaml"))
