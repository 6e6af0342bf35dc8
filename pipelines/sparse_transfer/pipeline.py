"""The pipeline `sparse_transfer`: only the DAG; the steps are in `sparse_core.steps`.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.data.fetch_dataset import fetch_dataset
from sparse_pipelines.components.deployment.export_onnx import export_onnx
from sparse_pipelines.components.evaluation.benchmark import benchmark
from sparse_pipelines.components.models.fetch_model import fetch_model
from sparse_pipelines.components.recipes.fetch_recipe import fetch_recipe
from sparse_pipelines.components.training.qat_finalize import qat_finalize
from sparse_pipelines.components.training.sparse_transfer import sparse_transfer as transfer
from sparse_pipelines.components.training.train_teacher import train_teacher
from sparse_pipelines.pipelines.outputs import Outputs


@dsl.pipeline(name="sparse-transfer")
def sparse_transfer(
    model: str,
    teacher_model: str,
    recipe: str,
    recipe_args: str = "",
    teacher_recipe: str = "dense/base",
    teacher_recipe_args: str = "",
    model_revision: str = "",
    teacher_model_revision: str = "",
    teacher_is_trained: bool = False,
    use_teacher_tokenizer: bool = False,
    task: str = "text_classification",
    train_file: str = "",
    validation_file: str = "",
    test_file: str = "",
    dataset_name: str = "",
    dataset_config_name: str = "",
    dataset_revision: str = "",
    task_name: str = "",
    text_column: str = "",
    label_column: str = "",
    validation_ratio: float = 0.0,
    eval_on_test: bool = False,
    max_train_samples: int = 0,
    max_eval_samples: int = 0,
    max_predict_samples: int = 0,
    task_args: str = "",
    max_seq_length: int = 128,
    per_device_train_batch_size: int = 32,
    per_device_eval_batch_size: int = 64,
    gradient_accumulation_steps: int = 1,
    seed: int = 42,
    training_arguments: str = "",
    opset: int = 14,
    weight_type: str = "auto",
    min_agreement: float = 0.99,
    max_metric_loss: float = 0.005,
    num_verification_rows: int = 1000,
    batch_sizes: str = "1,16",
    sequence_lengths: str = "32,128",
    num_threads: int = 0,
    num_runs: int = 30,
    num_warmup_runs: int = 5,
    engines: str = "",
    dataset_hash: str = "",
    model_hash: str = "",
    teacher_model_hash: str = "",
    recipe_hash: str = "",
    teacher_recipe_hash: str = "",
) -> Outputs:
    """Teaches a sparse checkpoint a task by distillation from a dense teacher, then quantizes, exports and measures it.

    Args:
        model: the sparse checkpoint: a Hugging Face directory or hub id.
        teacher_model: the dense model to fine-tune as the teacher, or the teacher itself (see
            teacher_is_trained).
        recipe: recipe of the sparse model: a built-in name, a file or its text.
        recipe_args: variables of the recipe to override, as a JSON object.
        teacher_recipe: recipe of the teacher's training.
        teacher_recipe_args: variables of the teacher's recipe to override, as a JSON object.
        model_revision: branch, tag or commit of a hub model.
        teacher_model_revision: branch, tag or commit of a hub teacher.
        teacher_is_trained: whether teacher_model is already fine-tuned on this task: then it is only evaluated.
        use_teacher_tokenizer: the teacher reads each text through its own tokenizer (text classification only).
        task: text_classification, token_classification, question_answering or masked_language_modeling.
        train_file: rows to train on: CSV, JSON, JSON lines or Parquet.
        validation_file: rows that are measured during training and that check the export.
        test_file: rows that only the benchmark sees.
        dataset_name: instead of files, a data set of the hub or a directory that save_to_disk made.
        dataset_config_name: configuration of the hub's data set.
        dataset_revision: branch, tag or commit of the hub's data set.
        task_name: a GLUE task, whose data and metrics are taken; for tokens: ner, pos or chunk.
        text_column: column of the text, or two with a comma between; empty: found.
        label_column: column of the label; empty: found.
        validation_ratio: share of the training rows to validate on, where there are no rows for that.
        eval_on_test: where there are no rows for validation, measure on the test rows during training too.
        max_train_samples: use so many training rows; 0: all.
        max_eval_samples: use so many validation rows; 0: all.
        max_predict_samples: use so many test rows; 0: all.
        task_args: options of the task, as a JSON object.
        max_seq_length: tokens of a row beyond which the rest is cut off.
        per_device_train_batch_size: rows in one training batch.
        per_device_eval_batch_size: rows in one evaluation batch.
        gradient_accumulation_steps: batches in one optimizer step.
        seed: of the new head, dropout and the order of the rows.
        training_arguments: further Hugging Face TrainingArguments, as a JSON object.
        opset: ONNX opset of the exported graph.
        weight_type: type of the int8 weights in the graph.
        min_agreement: share of rows on which ONNX Runtime and torch must choose the same label.
        max_metric_loss: how much of the task's metric the export may lose.
        num_verification_rows: validation rows that check the export.
        batch_sizes: batch sizes to measure, separated by commas.
        sequence_lengths: lengths in tokens to measure, separated by commas.
        num_threads: threads of each engine; 0: one per core that this process may use.
        num_runs: timed runs for each point.
        num_warmup_runs: runs before the timed ones.
        engines: engines to measure, separated by commas; empty: all that are installed.
        dataset_hash: fingerprint of the data files, where they are local.
        model_hash: fingerprint of model, where it is local.
        teacher_model_hash: fingerprint of teacher_model, where it is local.
        recipe_hash: fingerprint of recipe, where it is local.
        teacher_recipe_hash: fingerprint of teacher_recipe, where it is local.

    Returns:
        The report with its page for the browser, and the deployment folder.
    """
    data = fetch_dataset(
        content_hash=dataset_hash,
        task=task,
        train_file=train_file,
        validation_file=validation_file,
        test_file=test_file,
        dataset_name=dataset_name,
        dataset_config_name=dataset_config_name,
        dataset_revision=dataset_revision,
        task_name=task_name,
        text_column=text_column,
        label_column=label_column,
        validation_ratio=validation_ratio,
        eval_on_test=eval_on_test,
        max_train_samples=max_train_samples,
        max_eval_samples=max_eval_samples,
        max_predict_samples=max_predict_samples,
        task_args=task_args,
    )
    base = fetch_model(model=teacher_model, revision=teacher_model_revision, content_hash=teacher_model_hash)
    teacher_plan = fetch_recipe(
        recipe=teacher_recipe, recipe_args=teacher_recipe_args, content_hash=teacher_recipe_hash
    )
    plan = fetch_recipe(recipe=recipe, recipe_args=recipe_args, content_hash=recipe_hash)
    student = fetch_model(model=model, revision=model_revision, content_hash=model_hash)
    teacher = train_teacher(
        model=base.outputs["fetched_model"],
        dataset=data.outputs["dataset"],
        recipe=teacher_plan.outputs["resolved_recipe"],
        max_seq_length=max_seq_length,
        per_device_train_batch_size=per_device_train_batch_size,
        per_device_eval_batch_size=per_device_eval_batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        seed=seed,
        training_arguments=training_arguments,
        evaluate_only=teacher_is_trained,
    ).outputs["teacher"]
    sparse = transfer(
        model=student.outputs["fetched_model"],
        dataset=data.outputs["dataset"],
        recipe=plan.outputs["resolved_recipe"],
        teacher=teacher,
        use_teacher_tokenizer=use_teacher_tokenizer,
        max_seq_length=max_seq_length,
        per_device_train_batch_size=per_device_train_batch_size,
        per_device_eval_batch_size=per_device_eval_batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        seed=seed,
        training_arguments=training_arguments,
    ).outputs["sparse_model"]
    quantized = qat_finalize(
        model=sparse,
        dataset=data.outputs["dataset"],
        recipe=plan.outputs["resolved_recipe"],
        teacher=teacher,
        use_teacher_tokenizer=use_teacher_tokenizer,
        max_seq_length=max_seq_length,
        per_device_train_batch_size=per_device_train_batch_size,
        per_device_eval_batch_size=per_device_eval_batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        seed=seed,
        training_arguments=training_arguments,
    ).outputs["quantized_model"]
    deployment = export_onnx(
        model=quantized,
        dataset=data.outputs["dataset"],
        max_seq_length=max_seq_length,
        opset=opset,
        weight_type=weight_type,
        min_agreement=min_agreement,
        max_metric_loss=max_metric_loss,
        num_verification_rows=num_verification_rows,
    ).outputs["deployment"]
    measured = benchmark(
        teacher=teacher,
        sparse=sparse,
        quantized=quantized,
        deployment=deployment,
        dataset=data.outputs["dataset"],
        max_seq_length=max_seq_length,
        batch_sizes=batch_sizes,
        sequence_lengths=sequence_lengths,
        num_threads=num_threads,
        num_runs=num_runs,
        num_warmup_runs=num_warmup_runs,
        engines=engines,
    )
    return Outputs(report=measured.outputs["report"], html=measured.outputs["html"], deployment=deployment)
