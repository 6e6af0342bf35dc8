"""One label for each text."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sparse_core.errors import ModelError
from sparse_core.tasks.base import Collator, Task
from sparse_core.tasks.schema import DatasetSchema

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

logger = logging.getLogger(__name__)

_UNNAMED_LABEL = "LABEL_"  # what Hugging Face calls labels that nobody has named


class TextClassification(Task):
    """Single-label classification of a text."""

    name: ClassVar[str] = "text_classification"
    primary_metric: ClassVar[str] = "accuracy"

    def load_model(self, directory: Path, schema: DatasetSchema, *, trained_head: bool = False) -> PreTrainedModel:
        """A sequence classifier with one output for each label; see `Task.load_model`."""
        import torch
        import transformers

        import sparse_core.modifiers.quantization.hf_quantizer  # noqa: F401  (lets quantized checkpoints load)

        if trained_head:
            _require_labels(directory, schema)
        verbosity = transformers.logging.get_verbosity()
        transformers.logging.set_verbosity_error()  # a new head is what was asked for, not a defect to report
        try:
            model, report = transformers.AutoModelForSequenceClassification.from_pretrained(
                directory,
                num_labels=len(schema.label_names),
                id2label=dict(enumerate(schema.label_names)),
                label2id={name: index for index, name in enumerate(schema.label_names)},
                dtype=torch.float32,
                ignore_mismatched_sizes=not trained_head,
                output_loading_info=True,
                local_files_only=True,
            )
        except OSError as error:
            raise ModelError(f"model: {directory} cannot be loaded ({str(error).splitlines()[0]})") from None
        finally:
            transformers.logging.set_verbosity(verbosity)
        base = f"{model.base_model_prefix}."
        missing = [name for name in report["missing_keys"] if name.startswith(base) and ".pooler." not in name]
        if missing or (trained_head and report["missing_keys"]):
            names = ", ".join(sorted(missing or report["missing_keys"])[:3])
            raise ModelError(
                f"model: {directory} lacks weights that a {type(model).__name__} needs ({names}, ...); give a directory "
                f"that holds {'a fine-tuned classifier' if trained_head else 'all weights of the encoder'}"
            )
        return model

    def tokenize(self, batch: dict[str, list[Any]], tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict[str, Any]:
        """Token ids of `text`, and `label` as `labels`."""
        return {**tokenizer(batch["text"], truncation=True, max_length=max_length), "labels": batch["label"]}

    def collator(self, tokenizer: PreTrainedTokenizerBase) -> Collator:
        """Pads with the tokenizer; leaves out `length`."""
        import transformers

        pad = transformers.DataCollatorWithPadding(tokenizer)

        def collate(rows: list[dict[str, Any]]) -> dict[str, Any]:
            return dict(pad([{name: value for name, value in row.items() if name != "length"} for row in rows]))

        return collate

    def compute_metrics(self, logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
        """Accuracy and macro F1 (0 to 1).

        Args:
            logits: (num_rows, num_labels), float.
            labels: (num_rows,), int.
        """
        predictions = logits.argmax(axis=-1)
        scores = []
        for label in range(logits.shape[-1]):
            true_positives = float(((predictions == label) & (labels == label)).sum())
            total = float((predictions == label).sum() + (labels == label).sum())
            if total:
                scores.append(2.0 * true_positives / total)
        return {"accuracy": float((predictions == labels).mean()), "f1": sum(scores) / max(len(scores), 1)}


def _require_labels(directory: Path, schema: DatasetSchema) -> None:
    """Refuses a fine-tuned model whose labels are not those of the data."""
    path = directory / "config.json"
    if not path.is_file():
        raise ModelError(f"model: {directory} has no config.json; give a Hugging Face directory")
    config = json.loads(path.read_text(encoding="utf-8"))
    names = [config["id2label"][key] for key in sorted(config.get("id2label", {}), key=int)] or ["", ""]
    if len(names) != len(schema.label_names):
        raise ModelError(
            f"model: {directory} was fine-tuned for {len(names)} labels, the data has {len(schema.label_names)} "
            f"({', '.join(schema.label_names[:5])}); give a model fine-tuned on these labels"
        )
    is_named = not all(str(name).startswith(_UNNAMED_LABEL) for name in names) and any(names)
    if is_named and [str(name) for name in names] != schema.label_names:
        raise ModelError(
            f"model: {directory} was fine-tuned for the labels {', '.join(map(str, names))}, the data has "
            f"{', '.join(schema.label_names)}; give a model fine-tuned on these labels, in this order"
        )
