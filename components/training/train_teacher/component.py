"""The KFP component `train_teacher`, written by `make components` from its step. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train_teacher(
    model: dsl.Input[dsl.Model],
    dataset: dsl.Input[dsl.Dataset],
    recipe: dsl.Input[dsl.Artifact],
    teacher: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    max_seq_length: int = 128,
    training_options: dict = {},
    evaluate_only: bool = False,
) -> None:
    """Fine-tunes a dense model by a recipe, or only evaluates a model that is already fine-tuned.

    Args:
        model: Hugging Face folder of the dense model.
        dataset: Dataset artifact of fetch_dataset.
        recipe: Recipe artifact of fetch_recipe.
        teacher: The fine-tuned dense model, as a Hugging Face folder.
        metrics: The numbers that the step returns, and step_seconds.
        max_seq_length: Longest row in tokens; the tokens beyond it are cut off.
        training_options: Settings of a training, with Hugging Face's names. Keys: per_device_train_batch_size,
            per_device_eval_batch_size, gradient_accumulation_steps, seed, training_arguments.
        evaluate_only: The model is already fine-tuned on these labels; only evaluate it.
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.train_teacher import train_teacher as step

    run_step(
        step,
        metrics,
        model=model,
        dataset=dataset,
        recipe=recipe,
        output=teacher,
        max_seq_length=max_seq_length,
        training_options=training_options,
        evaluate_only=evaluate_only,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(train_teacher, package_path=__file__.replace(".py", ".yaml"))
