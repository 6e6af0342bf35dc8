"""Token ids of a split, made once and kept on disk."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from sparse_core.artifacts.dataset import read_schema, split_path
from sparse_core.errors import ConfigError, DataError, Setting, listed
from sparse_core.store import cached, code_identity, identity
from sparse_core.tasks.quiet import datasets_bars_on_terminals
from sparse_core.tasks.tokenizers import tokenizer_fingerprint

if TYPE_CHECKING:
    from datasets import Dataset, Features
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

MIN_SEQ_LENGTH = 3
"""A first token, one of the text, and a last one."""
LENGTH_COLUMN = "length"
_ROWS_PER_BATCH = 1000
_ROWS_PER_PROCESS = 50_000  # below this, starting a process costs more than it saves
_FINGERPRINT_CHARACTERS = 32  # `datasets` allows 64, and adds the number of the process
_CUT_SHARE_TO_WARN = 0.05
_NARROW_TYPES = {"input_ids": "int32", "attention_mask": "int8", "token_type_ids": "int8", LENGTH_COLUMN: "int32"}


class Tokenizes(Protocol):
    """The part of a task that makes tokens."""

    name: ClassVar[str]
    cuts_rows: bool
    joins_rows: bool
    options: Any

    def tokenize(
        self, rows: dict[str, list], numbers: Sequence[int], tokenizer: PreTrainedTokenizerFast, max_seq_length: int
    ) -> dict[str, list]:
        """See `Task.tokenize`."""


def load_tokenized(
    task: Tokenizes, dataset: Path, split: str, tokenizer: PreTrainedTokenizerFast, max_seq_length: int
) -> Dataset:
    """The tokenized rows of a split; see `Task.load_split`.

    They lie in `tokens/<fingerprint of data, tokenizer and arguments>` of the cache. The folder appears under that
    name when it is complete, so that one that a killed process left is never read.
    """
    _require_readable(dataset, split, tokenizer, max_seq_length)
    source = split_path(dataset, split)
    options = json.dumps(task.options.model_dump(), sort_keys=True)
    code = code_identity("sparse_core.tasks", "datasets", "transformers", "tokenizers")
    key = identity(code, task.name, options, source, tokenizer_fingerprint(tokenizer), max_seq_length)
    folder, _ = cached("tokens", key, partial(_write_tokens, task, source, tokenizer, max_seq_length, key))
    rows = _read_tokens(folder)
    if len(rows) == 0:
        raise DataError(
            "dataset",
            (f"the {split} split gives no rows of tokens at ", Setting("max_seq_length"), f" {max_seq_length}"),
            fix=("give more text, or a smaller ", Setting("max_seq_length")),
        )
    if task.cuts_rows:
        _warn_of_cut_rows(rows, split, max_seq_length)
    return rows


def read_examples(dataset: Path, split: str) -> Dataset:
    """The rows of a split before tokenization, from disk as they are asked for; see `RowReader.arrow_schema`."""
    import datasets

    return datasets.Dataset.from_file(str(split_path(dataset, split)))


def _warn_of_cut_rows(rows: Dataset, split: str, max_seq_length: int) -> None:
    lengths = rows.data.column(LENGTH_COLUMN).to_numpy()  # through `datasets` this takes seconds for a million rows
    cut_share = float((lengths >= max_seq_length).mean())
    if cut_share >= _CUT_SHARE_TO_WARN:
        logger.warning(
            "max_seq_length: %.0f%% of the %s rows fill or exceed %d tokens; what is beyond is cut off",
            100 * cut_share,
            split,
            max_seq_length,
        )


def _require_readable(dataset: Path, split: str, tokenizer: PreTrainedTokenizerFast, max_seq_length: int) -> None:
    splits = list(read_schema(dataset).num_rows)
    if split not in splits:
        raise DataError("dataset", f"has no split '{split}'; it has {listed(splits)}")
    if max_seq_length < MIN_SEQ_LENGTH:
        raise ConfigError("max_seq_length", accepted=f"at least {MIN_SEQ_LENGTH}", got=max_seq_length)
    if max_seq_length > tokenizer.model_max_length:
        raise ConfigError(
            "max_seq_length",
            accepted=f"at most {tokenizer.model_max_length}, the tokens that the model can read",
            got=max_seq_length,
        )


def _write_tokens(
    task: Tokenizes, source: Path, tokenizer: PreTrainedTokenizerFast, max_seq_length: int, key: str, folder: Path
) -> None:
    import datasets

    rows = datasets.Dataset.from_file(str(source))

    def tokenize(batch: dict[str, list], numbers: list[int]) -> dict[str, list]:
        columns = task.tokenize(batch, numbers, tokenizer, max_seq_length)
        return {**columns, LENGTH_COLUMN: [len(ids) for ids in columns["input_ids"]]}

    logger.info("tokenizing %d rows of %s", len(rows), source)
    folder.mkdir()
    with datasets_bars_on_terminals():
        rows.map(
            tokenize,
            batched=True,
            batch_size=_ROWS_PER_BATCH,
            with_indices=True,
            remove_columns=rows.column_names,
            features=_features(rows, tokenize),
            num_proc=None if task.joins_rows else _num_processes(len(rows)),
            cache_file_name=str(folder / "tokens.arrow"),
            new_fingerprint=key[:_FINGERPRINT_CHARACTERS],
            desc=f"Tokenizing {source.stem}",
        )


def _read_tokens(folder: Path) -> Dataset:
    """The rows of all files of the folder: one, or one for each process that wrote."""
    import datasets

    files = [datasets.Dataset.from_file(str(file)) for file in sorted(folder.iterdir())]
    return datasets.concatenate_datasets(files) if files else datasets.Dataset.from_dict({})


def _features(rows: Dataset, tokenize: Callable[[dict[str, list], list[int]], dict[str, list]]) -> Features:
    """Types of the columns, from the first batch whose values tell them all: lists may be empty, and rows may vanish.

    Integers of known range and fractions are narrow: an eighth of the disk and of the bytes to read.
    """
    import datasets

    features = datasets.Features()
    for start in range(0, len(rows), _ROWS_PER_BATCH):
        numbers = list(range(start, min(start + _ROWS_PER_BATCH, len(rows))))
        columns = tokenize(rows[start : start + _ROWS_PER_BATCH], numbers)
        features = datasets.Dataset.from_dict(columns).features
        if all(_is_known(feature) for feature in features.values()):
            break
    return datasets.Features({name: _narrow(feature, name) for name, feature in features.items()})


def _is_known(feature: Any) -> bool:
    return _is_known(feature.feature) if hasattr(feature, "feature") else feature.dtype != "null"


def _narrow(feature: Any, column: str) -> Any:
    import datasets

    if hasattr(feature, "feature"):
        return datasets.List(_narrow(feature.feature, column))
    return datasets.Value(_NARROW_TYPES.get(column, "float32" if feature.dtype == "float64" else feature.dtype))


def _num_processes(num_rows: int) -> int | None:
    """Processes to tokenize with; None for this one, whose tokenizer has threads of its own."""
    processes = min(len(os.sched_getaffinity(0)), num_rows // _ROWS_PER_PROCESS)
    return processes if processes > 1 else None
