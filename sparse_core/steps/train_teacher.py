"""Fine-tunes a dense model, to be compared with and to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def train_teacher(
    model: Path,
    dataset: Path,
    recipe: Path,
    output: Path,
    *,
    evaluate_only: bool = False,
    max_seq_length: int = 128,
    per_device_train_batch_size: int = 32,
    per_device_eval_batch_size: int = 64,
    gradient_accumulation_steps: int = 1,
    seed: int = 42,
    training_arguments: str = "",
) -> dict[str, Any]:
    """Fine-tunes a dense model by a recipe, or takes an already fine-tuned one as it is.

    Args:
        model: Hugging Face directory of the dense model.
        dataset: Dataset artifact of fetch_dataset.
        recipe: Recipe artifact, normally of the built-in dense/base.
        output: where the teacher appears, as a Hugging Face directory.
        evaluate_only: the model is already fine-tuned on these labels; only evaluate it.
        max_seq_length: tokens of a row beyond which the rest is cut off.
        per_device_train_batch_size: rows in one training batch.
        per_device_eval_batch_size: rows in one evaluation batch.
        gradient_accumulation_steps: batches in one optimizer step.
        seed: of the new head, dropout and the order of the rows.
        training_arguments: further Hugging Face TrainingArguments, as a JSON object.

    Returns:
        Metrics on the validation split, and the sparsity of the encoder and of the model (0 to 1).

    Raises:
        SparseCoreError: the inputs do not fit one another, or the output is in use.
    """
    from sparse_core.recipe import load_recipe
    from sparse_core.training.run import TrainingRun
    from sparse_core.training.settings import TrainingSettings

    run = TrainingRun(
        step="train_teacher",
        model=model,
        dataset=dataset,
        recipe=load_recipe(recipe),
        teacher=None,
        output=output,
        settings=TrainingSettings(
            max_seq_length=max_seq_length,
            per_device_train_batch_size=per_device_train_batch_size,
            per_device_eval_batch_size=per_device_eval_batch_size,
            gradient_accumulation_steps=gradient_accumulation_steps,
            seed=seed,
            training_arguments=training_arguments,
        ),
    )
    return run.evaluate() if evaluate_only else run.execute()
