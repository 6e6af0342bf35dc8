"""The Python way: Hugging Face's Trainer plus a recipe and a teacher.

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
    """Trains the demo's sparse model for one epoch without a teacher and prints its sparsity."""
    tokenizer = AutoTokenizer.from_pretrained(demo / "sparse")
    model = AutoModelForSequenceClassification.from_pretrained(demo / "sparse", num_labels=len(LABELS))

    def prepare(row: dict[str, str]) -> dict[str, object]:
        return {**tokenizer(row["sentence"], truncation=True), "labels": LABELS[row["label"]]}

    files = {split: str(demo / "data" / f"{split}.csv") for split in ("train", "validation")}
    data = load_dataset("csv", data_files=files).map(prepare, remove_columns=["sentence", "label"])
    trainer = Trainer(
        model=model,
        args=TrainingArguments("python_api_output", per_device_train_batch_size=32, report_to="none"),
        recipe="sst2/pruned90_quant",
        recipe_args={"num_epochs": 3, "qat_start_epoch": 2.0, "observer_epoch": 2.5, "init_lr": 1e-3},
        distill_teacher="disable",
        train_dataset=data["train"],
        eval_dataset=data["validation"],
        data_collator=DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
    )
    trainer.train()
    print(trainer.evaluate())
    print(f"encoder sparsity: {sparsity_report(trainer.model).encoder:.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "demo"))
