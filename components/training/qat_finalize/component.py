"""The KFP component `qat_finalize`, written by `make components` from its step. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def qat_finalize(
    model: dsl.Input[dsl.Model],
    dataset: dsl.Input[dsl.Dataset],
    recipe: dsl.Input[dsl.Artifact],
    teacher: dsl.Input[dsl.Model],
    quantized_model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    max_seq_length: int = 128,
    training_options: dict = {},
    use_teacher_tokenizer: bool = False,
) -> None:
    """Runs the quantized epochs of a recipe, from the checkpoint that prune or sparse_transfer left.

    Args:
        model: Output of prune or sparse_transfer, made with the same recipe and settings.
        dataset: Dataset artifact of fetch_dataset.
        recipe: Recipe artifact of fetch_recipe.
        teacher: Fine-tuned teacher; used if the recipe distils.
        quantized_model: The quantized model, as a Hugging Face folder.
        metrics: The numbers that the step returns, and step_seconds.
        max_seq_length: Longest row in tokens; the tokens beyond it are cut off.
        training_options: Settings of a training, with Hugging Face's names. Keys: per_device_train_batch_size,
            per_device_eval_batch_size, gradient_accumulation_steps, seed, training_arguments.
        use_teacher_tokenizer: The teacher reads each text with its own tokenizer (text classification only).
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.qat_finalize import qat_finalize as step

    run_step(
        step,
        metrics,
        model=model,
        dataset=dataset,
        recipe=recipe,
        teacher=teacher,
        output=quantized_model,
        max_seq_length=max_seq_length,
        training_options=training_options,
        use_teacher_tokenizer=use_teacher_tokenizer,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(qat_finalize, package_path=__file__.replace(".py", ".yaml"))
