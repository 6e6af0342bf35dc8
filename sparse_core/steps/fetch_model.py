"""Step: copy a model and its tokenizer from a folder, the Hugging Face hub or a SparseZoo stub."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field

from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ModelError
from sparse_core.fields import Options
from sparse_core.steps.spec import Kind, Port, step
from sparse_core.store import identity, publishing

CONTENT_PREFIX = "sha256:"
"""Prefix of a revision that is the identity of a local folder's content."""


class FetchModelSettings(Options):
    """Settings of `fetch_model`."""

    model: str = Field(
        min_length=1,
        description="A local folder, a hub id such as google-bert/bert-base-uncased, or a SparseZoo stub (zoo:...). "
        "HF_TOKEN, HF_HUB_OFFLINE and SPARSE_CORE_ZOO_MIRROR apply.",
    )
    revision: str = Field(
        "",
        description="Branch, tag or commit on the hub; empty: the default branch. For a local folder, 'sha256:' and "
        "the identity of its content; the step fails if the content differs.",
    )


@step(
    output=Port("fetched_model", Kind.MODEL, "The model as a Hugging Face folder, with weights as safetensors."),
    settings=FetchModelSettings,
)
def fetch_model(output: Path, settings: FetchModelSettings) -> dict[str, Any]:
    """Copies the config, weights (as safetensors) and tokenizer of a model, and fails if one of them is missing.

    Returns:
        Size of the copied files in bytes.

    Raises:
        SparseCoreError: the model cannot be found or fetched, lacks a file, has pickled objects other than tensors,
            needs code of its own, or has changed since the run was submitted.
    """
    from sparse_core.artifacts.model import Model
    from sparse_core.sources.models.find import copy_model, find_model, is_local

    is_content = settings.revision.startswith(CONTENT_PREFIX) and is_local(settings.model)
    source = find_model(settings.model, "" if is_content else settings.revision)
    with publishing(output) as staging:
        copy_model(source, staging)
        if is_content and identity(source) != settings.revision.removeprefix(CONTENT_PREFIX):
            raise ModelError(
                "revision", f"{settings.model} has changed since this run was submitted", fix="submit the run again"
            )
        size_bytes = sum(file.stat().st_size for file in staging.iterdir())
        log_history = Model(source).log_history()
        RunRecord(step="fetch_model", settings=settings.model_dump(), log_history=log_history).write(staging)
    return {"size_bytes": size_bytes}
