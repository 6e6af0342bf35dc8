"""Step: fine-tune a sparse model and keep its zeros."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparse_core.steps.spec import Kind, Port, step
from sparse_core.steps.training import DATASET, RECIPE, TEACHER, DistilledTrainSettings, run_training


@step(
    inputs=(Port("model", Kind.MODEL, "Hugging Face folder of the sparse model."), DATASET, RECIPE, TEACHER),
    output=Port("sparse_model", Kind.MODEL, "The sparse model, with the checkpoint from which qat_finalize continues."),
    settings=DistilledTrainSettings,
)
def sparse_transfer(
    model: Path, dataset: Path, recipe: Path, teacher: Path, output: Path, settings: DistilledTrainSettings
) -> dict[str, Any]:
    """Fine-tunes a sparse model and keeps its zeros; ends before the recipe's quantization starts.

    A recipe without quantization runs to its end.

    Returns:
        Metrics on the validation split, and the sparsity of the encoder and of the model (0 to 1).

    Raises:
        SparseCoreError: the recipe never prunes, or the inputs do not fit one another.
    """
    from sparse_core.recipe import load_recipe, require_pruning

    loaded = load_recipe(recipe)
    require_pruning(loaded)
    return run_training(
        "sparse_transfer",
        model,
        dataset,
        loaded,
        output,
        settings,
        teacher=teacher,
        stop_epoch=loaded.quantization_start,
    )
