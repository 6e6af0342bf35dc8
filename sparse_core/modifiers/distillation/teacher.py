"""The teacher's logits for a whole data set, computed once and kept on disk.

A row's logits depend on the row, the tokens and the teacher alone, so the epochs after the first, a resumed run and
the quantization step that follows need no teacher in memory.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import torch

from sparse_core.artifacts import cache_root, fingerprint
from sparse_core.errors import ModelError

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor, nn

logger = logging.getLogger(__name__)

TEACHER_PREFIX = "teacher_"
"""Column, and batch key, of the teacher's output `logits` is `teacher_logits`."""
_ROWS_PER_CHUNK = 1000


def with_teacher_outputs(
    dataset: Dataset,
    input_columns: Sequence[str],
    teacher: nn.Module,
    collator: Callable[[list[dict[str, Any]]], dict[str, Tensor]],
    output_keys: Sequence[str],
    batch_size: int,
    device: torch.device,
) -> Dataset:
    """`dataset` with a column `teacher_<key>` for each output key: float32 lists, one for each row.

    Args:
        dataset: tokenized rows.
        input_columns: the columns that the teacher and the collator take.
        teacher: gives `output_keys`, each (batch, num_classes). Put into eval mode and moved to `device`.
        collator: makes a padded batch from a list of rows.
        output_keys: names of model outputs, such as `logits`.
        batch_size: rows in one forward pass.
        device: where the teacher runs.

    Raises:
        ModelError: the teacher has no output of that name.
    """
    import datasets

    inputs = dataset.select_columns(list(input_columns))
    key = fingerprint(model_fingerprint(teacher), dataset_fingerprint(inputs), *output_keys)
    path = cache_root() / "teacher_outputs" / f"{key}.arrow"
    if path.is_file():
        logger.info("teacher: its outputs for these %d rows are on disk; the teacher does not run", len(dataset))
    else:
        outputs = _run_teacher(inputs, teacher, collator, output_keys, batch_size, device)
        _write_arrow(path, outputs)
    return datasets.concatenate_datasets([dataset, datasets.Dataset.from_file(str(path))], axis=1)


def model_fingerprint(model: nn.Module) -> str:
    """SHA-256 over the names and bytes of all parameters and buffers."""
    digest = hashlib.sha256()
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


def _run_teacher(
    dataset: Dataset,
    teacher: nn.Module,
    collator: Callable[[list[dict[str, Any]]], dict[str, Tensor]],
    output_keys: Sequence[str],
    batch_size: int,
    device: torch.device,
) -> dict[str, list[Tensor]]:
    """Outputs for each row, in the order of the rows; the batches are of like lengths, to waste no padding."""
    logger.info("teacher: computing its outputs for %d rows, once", len(dataset))
    teacher = teacher.to(device).eval()
    outputs: dict[str, list[Tensor]] = {key: [torch.empty(0)] * len(dataset) for key in output_keys}
    for rows in _batches_by_length(dataset, batch_size):
        features = dataset[rows]
        batch = collator([{name: values[i] for name, values in features.items()} for i in range(len(rows))])
        with torch.inference_mode():
            result = teacher(**{name: value.to(device) for name, value in batch.items() if name != "labels"})
        for key in output_keys:
            if key not in result:
                raise ModelError(
                    f"distill_output_keys: the teacher has no output '{key}'; it has {', '.join(result.keys())}"
                )
            for row, value in zip(rows, result[key].float().cpu(), strict=True):
                outputs[key][row] = value
    return outputs


def _batches_by_length(dataset: Dataset, batch_size: int) -> Iterator[list[int]]:
    lengths = [len(ids) for ids in dataset["input_ids"]]
    order = sorted(range(len(dataset)), key=lambda row: -lengths[row])
    for start in range(0, len(order), batch_size):
        yield order[start : start + batch_size]


def _write_arrow(path: Path, outputs: dict[str, list[Tensor]]) -> None:
    """Writes an Arrow stream that appears under `path` whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    schema = pa.schema([(TEACHER_PREFIX + key, pa.list_(pa.float32())) for key in outputs])
    num_rows = len(next(iter(outputs.values())))
    with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        for start in range(0, num_rows, _ROWS_PER_CHUNK):
            columns = [
                pa.array([value.tolist() for value in values[start : start + _ROWS_PER_CHUNK]], pa.list_(pa.float32()))
                for values in outputs.values()
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
    partial.replace(path)
