"""The KFP component `fetch_model`, written by `make components` from its step. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch_model(
    fetched_model: dsl.Output[dsl.Model],
    metrics: dsl.Output[dsl.Metrics],
    model: str,
    revision: str = "",
) -> None:
    """Copies the config, weights (as safetensors) and tokenizer of a model, and fails if one of them is missing.

    Args:
        fetched_model: The model as a Hugging Face folder, with weights as safetensors.
        metrics: The numbers that the step returns, and step_seconds.
        model: A local folder, a hub id such as google-bert/bert-base-uncased, or a SparseZoo stub (zoo:...).
            HF_TOKEN, HF_HUB_OFFLINE and SPARSE_CORE_ZOO_MIRROR apply.
        revision: Branch, tag or commit on the hub; empty: the default branch. For a local folder, 'sha256:' and the
            identity of its content; the step fails if the content differs.
    """
    from sparse_core.cli.component import run_step
    from sparse_core.steps.fetch_model import fetch_model as step

    run_step(
        step,
        metrics,
        output=fetched_model,
        model=model,
        revision=revision,
    )


if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile(fetch_model, package_path=__file__.replace(".py", ".yaml"))
