"""The Python way, as in SparseML's tutorials: Hugging Face's Trainer plus a recipe and a teacher.

Run it on the demo's files: `make demo && .venv/bin/python examples/python_api.py demo`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from datasets import load_dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer, DataCollatorWithPadding

from sparse_core.modifiers.pruning.report import sparsity_report
from sparse_core.training import Trainer, TrainingArguments

LABELS = {"negative": 0, "positive": 1}


def main(demo: Path) -> None:
    """Trains the demo's dense model as a teacher, then the sparse one by a recipe, and saves it."""
    tokenizer = AutoTokenizer.from_pretrained(demo / "sparse")
    dense, sparse = (
        AutoModelForSequenceClassification.from_pretrained(demo / name, num_labels=len(LABELS))
        for name in ("dense", "sparse")
    )

    def prepare(row: dict[str, str]) -> dict[str, object]:
        return {**tokenizer(row["sentence"], truncation=True), "labels": LABELS[row["label"]]}

    files = {split: str(demo / "data" / f"{split}.csv") for split in ("train", "validation")}
    data = load_dataset("csv", data_files=files).map(prepare, remove_columns=["sentence", "label"])
    common = {
        "train_dataset": data["train"],
        "eval_dataset": data["validation"],
        "tokenizer": tokenizer,
        "data_collator": DataCollatorWithPadding(tokenizer),
        "compute_metrics": lambda p: {"accuracy": float((p.predictions.argmax(axis=1) == p.label_ids).mean())},
    }
    settings = {"per_device_train_batch_size": 32, "save_strategy": "no", "report_to": "none"}
    teacher = Trainer(
        model=dense,
        recipe="dense/base",
        recipe_args={"num_epochs": 6, "init_lr": 1e-3},
        args=TrainingArguments("python_api_output/teacher", **settings),
        **common,
    )
    teacher.train()
    trainer = Trainer(
        model=sparse,
        model_state_path=demo / "sparse",
        recipe="sst2/pruned90_quant",
        recipe_args={"num_epochs": 6, "qat_start_epoch": 4.0, "observer_epoch": 5.5, "init_lr": 1e-3},
        metadata_args=["per_device_train_batch_size", "fp16"],
        teacher=teacher.model,
        args=TrainingArguments("python_api_output", **settings),
        **common,
    )
    trainer.train()
    trainer.save_model()  # with the tokenizer and recipe.yaml, ready for `sparse-core export_onnx`
    print(trainer.evaluate())
    print(f"encoder sparsity: {sparsity_report(trainer.model).encoder:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
