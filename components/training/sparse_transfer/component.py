"""The KFP component `sparse_transfer`, written by `make components` from its step. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def sparse_transfer(
    model: dsl.Input[dsl.Model],
    dataset: dsl.Input[dsl.Dataset],
    recipe: dsl.Input[dsl.Artifact],
    teacher: dsl.Input[dsl.Model],
    sparse_model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    max_seq_length: int = 128,
    training_options: dict = {},
    use_teacher_tokenizer: bool = False,
) -> None:
    """Fine-tunes a sparse model and keeps its zeros; ends before the recipe's quantization starts.

    Args:
        model: Hugging Face folder of the sparse model.
        dataset: Dataset artifact of fetch_dataset.
        recipe: Recipe artifact of fetch_recipe.
        teacher: Fine-tuned teacher; used if the recipe distils.
        sparse_model: The sparse model, with the checkpoint from which qat_finalize continues.
        metrics: The numbers that the step returns, and step_seconds.
        max_seq_length: Longest row in tokens; the tokens beyond it are cut off.
        training_options: Settings of a training, with Hugging Face's names. Keys: per_device_train_batch_size,
            per_device_eval_batch_size, gradient_accumulation_steps, seed, training_arguments.
        use_teacher_tokenizer: The teacher reads each text with its own tokenizer (text classification only).
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.sparse_transfer import sparse_transfer as step

    run_step(
        step,
        metrics,
        model=model,
        dataset=dataset,
        recipe=recipe,
        teacher=teacher,
        output=sparse_model,
        max_seq_length=max_seq_length,
        training_options=training_options,
        use_teacher_tokenizer=use_teacher_tokenizer,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(sparse_transfer, package_path=__file__.replace(".py", ".yaml"))
