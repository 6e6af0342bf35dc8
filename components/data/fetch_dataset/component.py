"""The KFP component `fetch_dataset`: a thin call of `sparse_core.steps.fetch_dataset`.

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
    content_hash: str = "",
) -> None:
    """Checks every row of a data set and writes its splits as Arrow files, with the labels of the training rows.

    Args:
        dataset: the checked rows as Arrow files, with dataset.json.
        metrics: the numbers that the step returns, and step_seconds.
        task: what the data is for: text_classification, token_classification, question_answering or
            masked_language_modeling.
        train_file: rows to learn from: CSV with a header, JSON (an array of records, or an object with such an array
            as data), JSON lines, Parquet, or text with a row on each line; in UTF-8.
        validation_file: rows for measuring during training, in any of these forms.
        test_file: rows for measuring at the end; empty: none.
        dataset_name: in place of files: a data set of the Hugging Face hub, or a directory that save_to_disk wrote or
            that is laid out as a data set on the hub.
        dataset_config_name: its configuration; empty: its default.
        dataset_revision: its branch, tag or commit on the hub; empty: the default branch.
        task_name: for text_classification a task of GLUE, or imdb; for token_classification ner, pos or chunk.
        text_column: column with the text or the tokens; two columns separated by a comma for a pair of texts; empty:
            found from the columns that there are.
        label_column: column with the label or the tags; empty: found likewise.
        validation_ratio: share of the training rows to keep for validation where the data has no validation split, 0 to
            below 1.
        eval_on_test: where the data has no validation split, measure on the test split during training too.
        max_train_samples: training rows to keep, from the first on; 0: all.
        max_eval_samples: validation rows to keep; 0: all.
        max_predict_samples: test rows to keep; 0: all.
        task_args: options of the task as a JSON object.
        content_hash: fingerprint of the files when they were submitted; empty: not checked.
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
        content_hash=content_hash,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(fetch_dataset, package_path=__file__.replace(".py", ".yaml"))
