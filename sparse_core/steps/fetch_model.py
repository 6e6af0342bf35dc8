"""Brings a model and its tokenizer from a directory, the Hugging Face hub or a SparseZoo stub, checked and copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ModelError
from sparse_core.store import identity, publishing, require_free


def fetch_model(output: Path, *, model: str, revision: str = "", content_hash: str = "") -> dict[str, Any]:
    """Copies config, weights (as safetensors) and tokenizer of a model after checking that all are there.

    Args:
        output: where the model appears, as a Hugging Face directory.
        model: a local directory, a hub id such as google-bert/bert-base-uncased, or a SparseZoo stub (zoo:...).
            HF_TOKEN, HF_HUB_OFFLINE and SPARSE_CORE_ZOO_MIRROR are honoured.
        revision: branch, tag or commit on the hub; empty: the default branch.
        content_hash: fingerprint of the local directory when it was submitted; empty: not checked.

    Returns:
        Size of the copied files in bytes.

    Raises:
        SparseCoreError: the model cannot be found or fetched, lacks a file, has weights that are more than tensors or
            needs code of its own, has changed since it was submitted, or the output is in use.
    """
    from sparse_core.artifacts.model import Model
    from sparse_core.sources.models.find import copy_model, find_model, is_local

    require_free(output)
    source = find_model(model, revision)
    with publishing(output) as staging:
        copy_model(source, staging)
        if content_hash and is_local(model) and identity(source) != content_hash:
            raise ModelError(f"content_hash: {model} changed since this run was submitted; submit the run again")
        size_bytes = sum(file.stat().st_size for file in staging.iterdir())
        settings = {"model": model, "revision": revision}
        RunRecord(step="fetch_model", settings=settings, log_history=Model(source).log_history()).write(staging)
    return {"size_bytes": size_bytes}
