"""A teacher's outputs: for a whole data set, computed once and kept on disk, or for one batch.

Where a row has the same inputs in every epoch, its outputs depend only on the row, the tokens and the teacher. Later
epochs, a resumed training and the quantization step then need no teacher in memory.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedModel

from sparse_core.errors import ModelError, Setting, listed, renamed_settings
from sparse_core.modifiers.distillation.losses import is_per_token
from sparse_core.store import cached, code_identity, identity

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn

Collator = Callable[[list[dict[str, Any]]], "dict[str, Tensor]"]

logger = logging.getLogger(__name__)

TEACHER_PREFIX = "teacher_"
"""Column, and batch key, of the teacher's output `logits` is `teacher_logits`."""
_ORIGIN_ENTRIES = ("_name_or_path", "transformers_version")
"""Entries of a config that say nothing about what the model computes."""
_ROWS_PER_CHUNK = 1000
_SECONDS_BETWEEN_LINES = 10.0


def run_teacher(
    teacher: nn.Module, batch: Mapping[str, Tensor], output_keys: Sequence[str], label_names: Collection[str] = ()
) -> dict[str, Tensor]:
    """The outputs for one batch, without gradients, on the device where the batch is.

    Args:
        teacher: put into eval mode.
        batch: padded inputs; inputs that the teacher's `forward` does not name are left out.
        output_keys: names of model outputs.
        label_names: entries of `batch` that only a loss reads.

    Returns:
        Output name -> (batch, ...).

    Raises:
        ModelError: the teacher has no output of that name.
    """
    accepted = named_inputs(teacher)
    inputs = {
        name: value
        for name, value in batch.items()
        if name not in label_names and (accepted is None or name in accepted)
    }
    with torch.no_grad():
        result = teacher.eval()(**inputs)
    with renamed_settings({"model": "distill_teacher"}):
        return {key: require_output(result, key) for key in output_keys}


def require_output(outputs: Mapping[str, Any], key: str) -> Tensor:
    """One output of a model.

    Raises:
        ModelError: there is none of that name, or it is not a tensor.
    """
    if not isinstance(outputs.get(key), torch.Tensor):
        tensors = [name for name, value in outputs.items() if isinstance(value, torch.Tensor)]
        problem = f"its output '{key}' is not a tensor" if key in outputs else f"it has no output '{key}'"
        raise ModelError(
            "model", problem, fix=("name one of ", listed(tensors), " in ", Setting("distill_output_keys"))
        )
    return outputs[key]


def named_inputs(model: nn.Module) -> set[str] | None:
    """Names of the arguments of a model's `forward`; None where it names none and takes all."""
    parameters = inspect.signature(model.forward).parameters.values()
    return {p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD} or None


def with_teacher_outputs(
    dataset: Dataset,
    inputs: Dataset,
    teacher: nn.Module,
    collator: Collator,
    output_keys: Sequence[str],
    batch_size: int,
    device: torch.device,
    label_names: Collection[str] = (),
) -> Dataset:
    """`dataset` with a column `teacher_<key>` for each output key: float32 lists, one for each row.

    An output with an entry for each token is kept without padding, so its lists differ in length.

    Args:
        dataset: tokenized rows.
        inputs: the same rows in the same order, as the teacher reads them: the columns that it and the collator take.
        teacher: gives `output_keys`. Put into eval mode and moved to `device`.
        collator: makes a padded batch from a list of rows of `inputs`.
        output_keys: names of model outputs, such as `logits`.
        batch_size: rows in one forward pass.
        device: where the teacher runs.
        label_names: entries of a batch that only a loss reads.

    Raises:
        ModelError: the teacher has no output of that name, or the two data sets differ in their number of rows.
    """
    import datasets

    if len(inputs) != len(dataset):
        raise ModelError(
            "teacher_dataset",
            f"it has {len(inputs)} rows where train_dataset has {len(dataset)}",
            fix="give the same rows in the same order, tokenized for the teacher",
        )

    def run(rows: list[dict[str, Any]]) -> dict[str, list[np.ndarray]]:
        batch = {name: tensor.to(device) for name, tensor in collator(rows).items()}
        outputs = run_teacher(teacher, batch, output_keys, label_names)
        return {key: _rows_of(key, output, batch.get("attention_mask")) for key, output in outputs.items()}

    def write(path: Path) -> None:
        logger.info("teacher: computing its outputs for %d rows, once", len(dataset))
        teacher.to(device)
        _write_arrow(path, _chunks(inputs, run, batch_size))

    code = code_identity("sparse_core.modifiers.distillation", "torch", "transformers")
    key = identity(code, model_fingerprint(teacher), dataset_fingerprint(inputs), *output_keys)
    path, was_there = cached("teacher_outputs", f"{key}.arrow", write)
    if was_there:
        logger.info("teacher: its outputs for these %d rows are on disk; the teacher does not run", len(dataset))
    return datasets.concatenate_datasets([dataset, datasets.Dataset.from_file(str(path))], axis=1)


@dataclass(frozen=True)
class TeacherOutputCollator:
    """Makes batches of rows that have teacher outputs, with a collator for the other columns.

    Attributes:
        collator: makes a padded batch of the other columns.
    """

    collator: Collator

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        """The batch, and `teacher_<key>`: float32 (batch, ...), 0 at padding where it has entries for tokens."""
        names = [name for name in rows[0] if name.startswith(TEACHER_PREFIX)]
        batch = dict(self.collator([{name: row[name] for name in row if name not in names} for row in rows]))
        for name in names:
            outputs = [torch.as_tensor(row[name], dtype=torch.float32) for row in rows]
            mask = batch.get("attention_mask")
            if mask is None or not is_per_token(name.removeprefix(TEACHER_PREFIX), outputs[0].unsqueeze(0)):
                batch[name] = torch.stack(outputs)
            else:
                batch[name] = torch.zeros(*mask.shape, *outputs[0].shape[1:])
                batch[name][mask.bool()] = torch.cat(outputs)
        return batch


def model_fingerprint(model: nn.Module) -> str:
    """SHA-256 over the class, the config, and the names and bytes of all parameters and buffers."""
    digest = hashlib.sha256(type(model).__name__.encode())
    if isinstance(model, PreTrainedModel):
        config = {name: value for name, value in model.config.to_dict().items() if name not in _ORIGIN_ENTRIES}
        digest.update(json.dumps(config, sort_keys=True).encode())
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def dataset_fingerprint(dataset: Dataset) -> str:
    """SHA-256 over the columns and rows, in order; the same for equal content wherever it is stored."""
    digest = hashlib.sha256()
    for table in dataset.with_format("arrow").iter(batch_size=_ROWS_PER_CHUNK):
        sink = pa.BufferOutputStream()
        bare = table.combine_chunks().replace_schema_metadata(None)
        with pa.ipc.new_stream(sink, bare.schema) as writer:
            writer.write_table(bare)
        digest.update(sink.getvalue())
    return digest.hexdigest()


def _rows_of(key: str, output: Tensor, attention_mask: Tensor | None) -> list[np.ndarray]:
    """The output of each row, float32; without the entries of padding where it has one for each token."""
    rows = output.float().cpu().numpy()
    if attention_mask is None or not is_per_token(key, output):
        return list(rows)
    return [row[mask] for row, mask in zip(rows, attention_mask.bool().cpu().numpy(), strict=True)]


def _chunks(
    inputs: Dataset, run: Callable[[list[dict[str, Any]]], dict[str, list[np.ndarray]]], batch_size: int
) -> Iterator[dict[str, list[np.ndarray]]]:
    """Outputs of about a thousand rows at a time, in the order of the rows, so that few are in memory.

    Within a chunk, rows of similar length share a batch, to save padding.
    """
    last_time = time.monotonic()
    num_rows = max(_ROWS_PER_CHUNK // batch_size, 1) * batch_size
    for start in range(0, len(inputs), num_rows):
        columns = inputs[start : start + num_rows]
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        order = sorted(range(len(rows)), key=lambda number: -len(rows[number]["input_ids"]))
        rows_done: dict[int, dict[str, np.ndarray]] = {}
        for first in range(0, len(order), batch_size):
            numbers = order[first : first + batch_size]
            outputs = run([rows[number] for number in numbers])
            for index, number in enumerate(numbers):
                rows_done[number] = {key: values[index] for key, values in outputs.items()}
        yield {key: [rows_done[number][key] for number in range(len(rows))] for key in rows_done[0]}
        if time.monotonic() - last_time >= _SECONDS_BETWEEN_LINES:
            last_time = time.monotonic()
            logger.info("teacher: %d of %d rows", start + len(rows), len(inputs))


def _write_arrow(path: Path, chunks: Iterator[dict[str, list[np.ndarray]]]) -> None:
    """Writes an Arrow stream."""
    with pa.OSFile(str(path), "wb") as sink:
        writer = None
        for chunk in chunks:
            record = pa.record_batch({TEACHER_PREFIX + key: _list_array(rows) for key, rows in chunk.items()})
            writer = writer or pa.ipc.new_stream(sink, record.schema)  # the first chunk shows how deep the lists are
            writer.write_batch(record)
        if writer is not None:
            writer.close()


def _list_array(rows: list[np.ndarray]) -> pa.Array:
    """One list for each row; rows of more than one dimension, (entries, ...), may differ in the first alone."""
    entries = np.concatenate(rows)
    values = pa.array(entries.reshape(-1))
    for size in reversed(entries.shape[1:]):
        values = pa.FixedSizeListArray.from_arrays(values, size)
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)
