"""Step: continue from a sparse model's checkpoint with quantization-aware training, to the end of the recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparse_core.steps.spec import Kind, Port, step
from sparse_core.steps.training import DATASET, RECIPE, TEACHER, DistilledTrainSettings, run_training


@step(
    inputs=(
        Port("model", Kind.MODEL, "Output of prune or sparse_transfer, made with the same recipe and settings."),
        DATASET,
        RECIPE,
        TEACHER,
    ),
    output=Port("quantized_model", Kind.MODEL, "The quantized model, as a Hugging Face folder."),
    settings=DistilledTrainSettings,
)
def qat_finalize(
    model: Path, dataset: Path, recipe: Path, teacher: Path, output: Path, settings: DistilledTrainSettings
) -> dict[str, Any]:
    """Runs the quantized epochs of a recipe, from the checkpoint that prune or sparse_transfer left.

    The two steps together give, bit for bit, the weights of the whole recipe in one run. If the recipe has no
    quantization, the output is the unchanged model.

    Returns:
        Metrics on the validation split, and the sparsity of the encoder and of the model (0 to 1).

    Raises:
        SparseCoreError: the model has no checkpoint of this recipe, or the inputs do not fit one another.
    """
    from sparse_core.artifacts.model import CHECKPOINT_FOLDER, Model
    from sparse_core.errors import ModelError
    from sparse_core.recipe import load_recipe

    loaded = load_recipe(recipe)
    checkpoint = Model(model).checkpoint
    quantizes = loaded.quantization_start is not None
    if quantizes and not checkpoint.is_dir():
        raise ModelError(
            "model",
            f"{model} has no folder '{CHECKPOINT_FOLDER}' to continue from",
            fix="give the output of sparse_transfer or prune, made with the same recipe",
        )
    return run_training(
        "qat_finalize",
        model,
        dataset,
        loaded,
        output,
        settings,
        teacher=teacher,
        trains=quantizes,
        start_checkpoint=checkpoint,
    )
