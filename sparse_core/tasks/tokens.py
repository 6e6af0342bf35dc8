"""Tokenized splits, made once for each data, tokenizer and length, and kept on disk."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sparse_core.artifacts import cache_root, file_sha256, fingerprint
from sparse_core.errors import ConfigError, DataError, ModelError

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

    from sparse_core.tasks.base import Task

logger = logging.getLogger(__name__)

_ROWS_FOR_ONE_PROCESS = 50_000


def load_tokens(
    task: Task, dataset: Path, split: str, tokenizer: PreTrainedTokenizerBase, max_seq_length: int
) -> Dataset:
    """Rows of `split` as input_ids, attention_mask, [token_type_ids], labels and length; memory-mapped, not padded.

    Args:
        task: says how a row is tokenized.
        dataset: Dataset artifact.
        split: train, validation or test.
        tokenizer: the model's.
        max_seq_length: rows are cut at this number of tokens.

    Raises:
        DataError: the artifact has no such split.
        ConfigError: max_seq_length is more than the model can take.
    """
    import datasets

    source = dataset / f"{split}.arrow"
    if not source.is_file():
        raise DataError(f"dataset: {dataset} has no {split} split; name a {split}_file for fetch_dataset")
    if max_seq_length > tokenizer.model_max_length:
        raise ConfigError(
            f"max_seq_length: {max_seq_length} is more than the model's {tokenizer.model_max_length} positions; set it "
            f"to {tokenizer.model_max_length} or less"
        )
    key = fingerprint(file_sha256(source), tokenizer_fingerprint(tokenizer), task.name, max_seq_length)
    path = cache_root() / "tokens" / f"{key}.arrow"
    if not path.is_file():
        _tokenize(task, source, tokenizer, max_seq_length, path)
    return datasets.Dataset.from_file(str(path))


def _tokenize(
    task: Task, source: Path, tokenizer: PreTrainedTokenizerBase, max_seq_length: int, path: Path
) -> None:
    """Writes the tokenized rows of `source` to `path`, which appears whole or not at all."""
    import datasets

    path.parent.mkdir(parents=True, exist_ok=True)
    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    rows = datasets.Dataset.from_file(str(source))
    partial_path = path.with_name(f".{path.name}.{os.getpid()}.partial")
    tokens = rows.map(
        partial(_with_length, task=task, tokenizer=tokenizer, max_length=max_seq_length),
        batched=True,
        remove_columns=rows.column_names,
        num_proc=None if len(rows) < _ROWS_FOR_ONE_PROCESS else os.cpu_count(),
        keep_in_memory=False,
        load_from_cache_file=False,
        cache_file_name=str(partial_path),
        desc=f"tokenizing {source.stem}",
    )
    num_cut = sum(length >= max_seq_length for length in tokens["length"])
    if num_cut:
        logger.info(
            "max_seq_length: %d of the %d %s rows (%.1f%%) fill or exceed %d tokens and may have been cut",
            num_cut,
            len(rows),
            source.stem,
            100.0 * num_cut / len(rows),
            max_seq_length,
        )
    if partial_path.is_file():
        partial_path.replace(path)
    else:  # several processes wrote one file each
        _join(tokens, partial_path, path)


def _join(tokens: Dataset, partial_path: Path, path: Path) -> None:
    import pyarrow as pa

    table = tokens.with_format("arrow")
    with pa.OSFile(str(partial_path), "wb") as sink, pa.ipc.new_stream(sink, tokens.features.arrow_schema) as writer:
        for part in table.iter(batch_size=1000):
            writer.write_table(part)
    partial_path.replace(path)
    for shard in tokens.cache_files:
        Path(shard["filename"]).unlink()


def _with_length(batch: dict, *, task: Task, tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict:
    columns = task.tokenize(batch, tokenizer, max_length)
    return {**columns, "length": [len(ids) for ids in columns["input_ids"]]}


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 over everything that decides how a fast tokenizer cuts a text."""
    return fingerprint(tokenizer.backend_tokenizer.to_str(), type(tokenizer).__name__, tokenizer.padding_side)


def require_same_tokenizer(student: Path, teacher: Path) -> None:
    """Refuses a teacher that reads a text as other tokens than its student.

    Raises:
        ModelError: the two tokenizers differ, with the first difference.
    """
    import transformers

    first, second = (
        transformers.AutoTokenizer.from_pretrained(path, local_files_only=True) for path in (student, teacher)
    )
    vocabularies = first.get_vocab(), second.get_vocab()
    if vocabularies[0] != vocabularies[1]:
        sizes = " and ".join(str(len(vocabulary)) for vocabulary in vocabularies)
        raise ModelError(
            f"teacher: {teacher} has another tokenizer than the model {student} (vocabularies of {sizes} entries, student "
            "first), so its logits would belong to other tokens; use a teacher fine-tuned from the same base model"
        )
