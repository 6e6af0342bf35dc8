"""The pipeline `sparsify`. This file has only the DAG; the steps are in `sparse_core.steps`.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.data.fetch_dataset import fetch_dataset
from sparse_pipelines.components.models.fetch_model import fetch_model
from sparse_pipelines.components.recipes.fetch_recipe import fetch_recipe
from sparse_pipelines.components.training.prune import prune
from sparse_pipelines.components.training.qat_finalize import qat_finalize
from sparse_pipelines.components.training.train_teacher import train_teacher
from sparse_pipelines.pipelines.tail import Outputs, export_and_benchmark


@dsl.pipeline(name="sparsify")
def sparsify(
    model: str,
    recipe: str = "sparsify/gradual_quant",
    recipe_args: str = "",
    teacher_recipe: str = "dense/base",
    teacher_recipe_args: str = "",
    model_revision: str = "",
    teacher_is_trained: bool = False,
    task: str = "text_classification",
    train_file: str = "",
    validation_file: str = "",
    test_file: str = "",
    dataset_name: str = "",
    dataset_options: dict = {},
    max_seq_length: int = 128,
    training_options: dict = {},
    export_options: dict = {},
    benchmark_options: dict = {},
) -> Outputs:
    """Fine-tunes a dense model, prunes it while it learns from itself, then quantizes, exports and measures it.

    Args:
        model: the dense model: a Hugging Face folder or a hub id.
        recipe: recipe of the sparse model: a built-in name, a file or its text.
        recipe_args: new values for the recipe's variables, as a JSON object.
        teacher_recipe: recipe of the teacher's training.
        teacher_recipe_args: new values for the variables of the teacher's recipe, as a JSON object.
        model_revision: branch, tag or commit of a hub model, or 'sha256:' and the identity of a folder's content.
        teacher_is_trained: the model is already fine-tuned on this task, so it is only evaluated.
        task: text_classification, token_classification, question_answering or masked_language_modeling.
        train_file: rows to train on: CSV, JSON, JSON lines, Parquet or text.
        validation_file: rows for evaluation during training and for the check of the export.
        test_file: rows for the benchmark.
        dataset_name: in place of files, a data set on the hub or a folder that save_to_disk wrote.
        dataset_options: more options of fetch_dataset, by name.
        max_seq_length: longest row in tokens; the tokens beyond it are cut off.
        training_options: options of the training steps, by name.
        export_options: options of export_onnx, by name.
        benchmark_options: options of benchmark, by name.

    Returns:
        The report, its HTML page and the deployment folder.
    """
    data = fetch_dataset(
        task=task,
        train_file=train_file,
        validation_file=validation_file,
        test_file=test_file,
        dataset_name=dataset_name,
        dataset_options=dataset_options,
    ).outputs["dataset"]
    base = fetch_model(model=model, revision=model_revision)
    teacher_plan = fetch_recipe(recipe=teacher_recipe, recipe_args=teacher_recipe_args)
    plan = fetch_recipe(recipe=recipe, recipe_args=recipe_args).outputs["resolved_recipe"]
    teacher = train_teacher(
        model=base.outputs["fetched_model"],
        dataset=data,
        recipe=teacher_plan.outputs["resolved_recipe"],
        max_seq_length=max_seq_length,
        training_options=training_options,
        evaluate_only=teacher_is_trained,
    ).outputs["teacher"]
    sparse = prune(
        model=teacher,
        dataset=data,
        recipe=plan,
        teacher=teacher,
        max_seq_length=max_seq_length,
        training_options=training_options,
    ).outputs["sparse_model"]
    quantized = qat_finalize(
        model=sparse,
        dataset=data,
        recipe=plan,
        teacher=teacher,
        max_seq_length=max_seq_length,
        training_options=training_options,
    ).outputs["quantized_model"]
    return export_and_benchmark(
        teacher=teacher,
        sparse=sparse,
        quantized=quantized,
        dataset=data,
        max_seq_length=max_seq_length,
        export_options=export_options,
        benchmark_options=benchmark_options,
    )
