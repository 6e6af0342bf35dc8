"""The KFP component `fetch_dataset`, written by `make components` from its step. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch_dataset(
    dataset: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    task: str = "text_classification",
    train_file: str = "",
    validation_file: str = "",
    test_file: str = "",
    dataset_name: str = "",
    dataset_options: dict = {},
) -> None:
    """Checks every row of a data set and writes its splits as Arrow files, and the labels of the training rows.

    Args:
        dataset: The splits as Arrow files, and the labels of the training rows.
        metrics: The numbers that the step returns, and step_seconds.
        task: Task of the data: text_classification, token_classification, question_answering or
            masked_language_modeling.
        train_file: Rows to train on: CSV with a header, JSON (an array of records, or an object with such an array
            as data), JSON lines, Parquet, or text with one row on each line; in UTF-8.
        validation_file: Rows to evaluate on during training, in any of these forms.
        test_file: Rows for the benchmark at the end; empty: none.
        dataset_name: In place of files: a data set on the Hugging Face hub, a folder that save_to_disk wrote, or a
            folder laid out like a data set on the hub.
        dataset_options: Rarely used settings of a data set. Keys: dataset_config_name, dataset_revision, task_name,
            text_column, label_column, validation_ratio, eval_on_test, max_train_samples, max_eval_samples,
            max_predict_samples, task_args, content_hash.
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.fetch_dataset import fetch_dataset as step

    run_step(
        step,
        metrics,
        output=dataset,
        task=task,
        train_file=train_file,
        validation_file=validation_file,
        test_file=test_file,
        dataset_name=dataset_name,
        dataset_options=dataset_options,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(fetch_dataset, package_path=__file__.replace(".py", ".yaml"))
