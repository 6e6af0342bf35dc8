"""Goes on from a sparse model's checkpoint through quantization-aware training to the end of the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def qat_finalize(
    model: Path,
    dataset: Path,
    recipe: Path,
    teacher: Path,
    output: Path,
    *,
    use_teacher_tokenizer: bool = False,
    max_seq_length: int = 128,
    per_device_train_batch_size: int = 32,
    per_device_eval_batch_size: int = 64,
    gradient_accumulation_steps: int = 1,
    seed: int = 42,
    training_arguments: str = "",
) -> dict[str, Any]:
    """Runs the quantized epochs of a recipe, from the checkpoint that prune or sparse_transfer left.

    The two steps together give, bit for bit, the weights of the recipe run in one go. A recipe without quantization has
    nothing left to do: its model is passed on unchanged.

    Args:
        model: output of prune or sparse_transfer, made with the same recipe and settings.
        dataset: Dataset artifact of fetch_dataset.
        recipe: Recipe artifact.
        teacher: Hugging Face directory of the fine-tuned teacher; used when the recipe distils.
        output: where the quantized model appears, as a Hugging Face directory.
        use_teacher_tokenizer: the teacher reads each text through its own tokenizer (text classification only).
        max_seq_length: tokens of a row beyond which the rest is cut off.
        per_device_train_batch_size: rows in one training batch.
        per_device_eval_batch_size: rows in one evaluation batch.
        gradient_accumulation_steps: batches in one optimizer step.
        seed: of the new head, dropout and the order of the rows.
        training_arguments: further Hugging Face TrainingArguments, as a JSON object.

    Returns:
        Metrics on the validation split, and the sparsity of the encoder and of the model (0 to 1).

    Raises:
        SparseCoreError: the model has no checkpoint of this recipe, the inputs do not fit one another, or the output
            is in use.
    """
    from sparse_core.artifacts.model import CHECKPOINT_FOLDER, Model
    from sparse_core.errors import ModelError
    from sparse_core.recipe import load_recipe
    from sparse_core.training.run import TrainingRun
    from sparse_core.training.settings import TrainingSettings

    loaded = load_recipe(recipe)
    checkpoint = Model(model).checkpoint
    run = TrainingRun(
        step="qat_finalize",
        model=model,
        dataset=dataset,
        recipe=loaded,
        teacher=teacher,
        use_teacher_tokenizer=use_teacher_tokenizer,
        output=output,
        settings=TrainingSettings(
            max_seq_length=max_seq_length,
            per_device_train_batch_size=per_device_train_batch_size,
            per_device_eval_batch_size=per_device_eval_batch_size,
            gradient_accumulation_steps=gradient_accumulation_steps,
            seed=seed,
            training_arguments=training_arguments,
        ),
        start_checkpoint=checkpoint,
    )
    if loaded.quantization_start is None:
        return run.evaluate()
    if not checkpoint.is_dir():
        raise ModelError(
            f"model: {model} has no folder '{CHECKPOINT_FOLDER}' to go on from; give the output of sparse_transfer or "
            "prune, made with the same recipe"
        )
    return run.execute()
