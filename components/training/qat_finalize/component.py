"""The KFP component `qat_finalize`: a thin call of `sparse_core.steps.qat_finalize`.

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
    use_teacher_tokenizer: bool = False,
    max_seq_length: int = 128,
    per_device_train_batch_size: int = 32,
    per_device_eval_batch_size: int = 64,
    gradient_accumulation_steps: int = 1,
    seed: int = 42,
    training_arguments: str = "",
) -> None:
    """Runs the quantized epochs of a recipe, from the checkpoint that prune or sparse_transfer left.

    Args:
        model: output of prune or sparse_transfer, made with the same recipe and settings.
        dataset: Dataset artifact of fetch_dataset.
        recipe: Recipe artifact.
        teacher: Hugging Face directory of the fine-tuned teacher; used when the recipe distils.
        quantized_model: the sparse model with fake quantization.
        metrics: the numbers that the step returns, and step_seconds.
        use_teacher_tokenizer: the teacher reads each text through its own tokenizer (text classification only).
        max_seq_length: tokens of a row beyond which the rest is cut off.
        per_device_train_batch_size: rows in one training batch.
        per_device_eval_batch_size: rows in one evaluation batch.
        gradient_accumulation_steps: batches in one optimizer step.
        seed: of the new head, dropout and the order of the rows.
        training_arguments: further Hugging Face TrainingArguments, as a JSON object.
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
        use_teacher_tokenizer=use_teacher_tokenizer,
        max_seq_length=max_seq_length,
        per_device_train_batch_size=per_device_train_batch_size,
        per_device_eval_batch_size=per_device_eval_batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        seed=seed,
        training_arguments=training_arguments,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(qat_finalize, package_path=__file__.replace(".py", ".yaml"))
