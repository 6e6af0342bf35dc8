"""Fine-tunes a sparse model, with its zeros kept, up to where quantization starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def sparse_transfer(
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
    """Fine-tunes a sparse model on a task while its zeros stay; ends where the recipe's quantization starts.

    A recipe without quantization is run to its end.

    Args:
        model: Hugging Face directory of the sparse model.
        dataset: Dataset artifact of fetch_dataset.
        recipe: Recipe artifact.
        teacher: Hugging Face directory of the fine-tuned teacher; used when the recipe distils.
        output: where the sparse model appears, as a Hugging Face directory with the checkpoint for qat_finalize.
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
        SparseCoreError: the recipe never prunes, the inputs do not fit one another, or the output is in use.
    """
    from sparse_core.recipe import load_recipe, require_pruning
    from sparse_core.training.run import TrainingRun
    from sparse_core.training.settings import TrainingSettings

    loaded = load_recipe(recipe)
    require_pruning(loaded)
    run = TrainingRun(
        step="sparse_transfer",
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
        stop_epoch=loaded.quantization_start,
    )
    return run.execute()
