"""The KFP component `fetch_dataset`: a thin call of `sparse_core.steps.fetch_dataset`.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch_dataset(
    dataset: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    train_file: str,
    validation_file: str,
    test_file: str = "",
    task: str = "text_classification",
    text_column: str = "",
    label_column: str = "label",
    content_hash: str = "",
) -> None:
    """Checks every row of the data files and writes them as Arrow files, with the labels of train_file as classes.

    Args:
        dataset: the checked rows as Arrow files, with dataset.json.
        metrics: the numbers that the step returns, and step_seconds.
        train_file: rows to learn from; CSV with a header, a JSON array of records, or JSON lines, in UTF-8.
        validation_file: rows for measuring during training, in any of these forms.
        test_file: rows for measuring at the end; empty: none.
        task: what the data is for; text_classification.
        text_column: column with the text; empty: the only column of text besides the label.
        label_column: column with the label, a string or an integer.
        content_hash: fingerprint of the files when they were submitted; empty: not checked.
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.fetch_dataset import fetch_dataset as step

    run_step(
        step,
        metrics,
        output=dataset,
        train_file=train_file,
        validation_file=validation_file,
        test_file=test_file,
        task=task,
        text_column=text_column,
        label_column=label_column,
        content_hash=content_hash,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(fetch_dataset, package_path=__file__.replace(".py", ".yaml"))
