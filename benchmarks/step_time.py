"""Training speed: what a recipe, a teacher and padding cost, as ratios measured in one run.

    python benchmarks/step_time.py --train-file ../shared/data/sst2/train.csv --tokenizer DIRECTORY

The model is a BERT with 6 layers and hidden size 384 (MiniLM's shape) and random weights. The variants of a comparison
take turns on the same batches. In each round, one variant's median step time is divided by the other's; the ratio is
the median over the rounds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import datasets
import torch
import transformers

from sparse_core.modifiers.pruning.parameters import prunable_parameters
from sparse_core.training import Trainer, TrainingArguments

EPOCHS = "training_modifiers:\n- !EpochRangeModifier\n  start_epoch: 0.0\n  end_epoch: 100.0\n"
CONSTANT = EPOCHS + "- !ConstantPruningModifier\n  start_epoch: 0.0\n  params: __ALL_PRUNABLE__\n"
GRADUAL = EPOCHS + (
    "- !MagnitudePruningModifier\n  init_sparsity: 0.0\n  final_sparsity: 0.8\n  start_epoch: 0.0\n  end_epoch: 2.0\n"
    "  update_frequency: 0.05\n  params: __ALL_PRUNABLE__\n"
)
SAME_BATCHES = {"train_sampling_strategy": "sequential"}
"""Gives both Trainers the same batches; Hugging Face's groups rows by length in another way."""
DISTILLED = EPOCHS + "- !DistillationModifier\n  hardness: 1.0\n  temperature: 2.0\n"


def make_model(*, zeros: float = 0.0) -> transformers.PreTrainedModel:
    """MiniLM-L6's shape; `zeros` of each prunable weight are zero."""
    torch.manual_seed(0)
    config = transformers.BertConfig(
        hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536, num_labels=2
    )
    model = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        for weight in prunable_parameters(model).values():
            weight.mul_(torch.rand_like(weight) >= zeros)
    return model


class StepTimer(transformers.TrainerCallback):
    """Seconds from the begin of each optimizer step to its end."""

    def __init__(self) -> None:
        """Starts with no steps."""
        self.seconds: list[float] = []
        self._start = 0.0

    def on_step_begin(self, args, state, control, **kwargs) -> None:
        """Starts the clock."""
        self._start = time.perf_counter()

    def on_step_end(self, args, state, control, **kwargs) -> None:
        """Stops it."""
        self.seconds.append(time.perf_counter() - self._start)


def median_step_seconds(trainer: transformers.Trainer, num_warmup_steps: int = 3) -> float:
    """Trains to max_steps; median step time without the first steps."""
    timer = StepTimer()
    trainer.add_callback(timer)
    trainer.train()
    trainer.remove_callback(timer)
    return statistics.median(timer.seconds[num_warmup_steps:])


def compare(variants: dict[str, Callable[[], transformers.Trainer]], rounds: int) -> dict[str, float]:
    """Median over the rounds of each variant's median step seconds, and of its ratio to the first variant."""
    seconds: dict[str, list[float]] = {name: [] for name in variants}
    for round_number in range(rounds):
        # every other round runs backwards: what comes later in a round is a few percent slower whatever it is
        for name, make in list(variants.items())[:: -1 if round_number % 2 else 1]:
            seconds[name].append(median_step_seconds(make()))
    first = next(iter(variants))
    result = {f"{name}_step_seconds": statistics.median(values) for name, values in seconds.items()}
    for name in list(variants)[1:]:
        ratios = [a / b for a, b in zip(seconds[name], seconds[first], strict=True)]
        result[f"{name}_ratio"] = statistics.median(ratios)
    return result


def main() -> None:
    """Runs the three comparisons and prints them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train-file", type=Path, required=True, help="CSV with the columns sentence and label")
    parser.add_argument("--tokenizer", type=Path, required=True, help="directory with tokenizer.json")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--epoch-rows", type=int, default=1600, help="rows of the epoch in the padding comparison")
    parser.add_argument("--only", choices=("pruning", "distillation", "padding"), help="one of the comparisons")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(options.tokenizer)
    rows = datasets.load_dataset("csv", data_files=str(options.train_file), split="train")
    rows = rows.map(lambda batch: tokenizer(batch["sentence"], truncation=True, max_length=128), batched=True)
    rows = rows.rename_column("label", "labels").remove_columns("sentence")
    rows = rows.map(lambda batch: {"length": [len(ids) for ids in batch["input_ids"]]}, batched=True)
    collator = transformers.DataCollatorWithPadding(tokenizer)
    with tempfile.TemporaryDirectory() as folder:

        def trainer(
            recipe: str | None, *, zeros: float = 0.0, plain: bool = False, collate=collator, **arguments
        ) -> transformers.Trainer:
            values = {
                "max_steps": options.steps,
                "per_device_train_batch_size": 32,
                "save_strategy": "no",
                "dataloader_pin_memory": False,
                **arguments,
            }
            settings = TrainingArguments(output_dir=folder, disable_tqdm=True, **values)
            common = {"args": settings, "train_dataset": rows, "data_collator": collate, "processing_class": tokenizer}
            if plain:
                return transformers.Trainer(model=make_model(zeros=zeros), **common)
            return Trainer(model=make_model(zeros=zeros), recipe=recipe, distill_teacher=teacher, **common)

        def pruning() -> dict[str, float]:
            variants = {
                "plain": lambda: trainer(None, plain=True, zeros=0.8, **SAME_BATCHES),
                "constant": lambda: trainer(CONSTANT, zeros=0.8, **SAME_BATCHES),
                "gradual": lambda: trainer(GRADUAL, **SAME_BATCHES),
            }
            return compare(variants, options.rounds)

        def distillation() -> dict[str, float]:
            trainer(DISTILLED, max_steps=1).train()  # writes the teacher's outputs to disk, as a first epoch does
            variants = {"undistilled": lambda: trainer(EPOCHS), "distilled": lambda: trainer(DISTILLED)}
            return compare(variants, options.rounds)

        def padding() -> dict[str, float]:
            nonlocal rows
            rows = rows.select(range(options.epoch_rows))
            padded = transformers.DataCollatorWithPadding(tokenizer, padding="max_length", max_length=128)
            seconds = {}
            for name, collate in (("padded_to_128", padded), ("padded_to_longest", collator)):
                run = trainer(None, plain=name == "padded_to_128", collate=collate, max_steps=-1, num_train_epochs=1)
                start = time.perf_counter()
                run.train()
                seconds[f"{name}_epoch_seconds"] = time.perf_counter() - start
            ratio = seconds["padded_to_longest_epoch_seconds"] / seconds["padded_to_128_epoch_seconds"]
            return {**seconds, "ratio": ratio}

        teacher = make_model()
        comparisons = {"pruning": pruning, "distillation": distillation, "padding": padding}
        results: dict[str, object] = {"threads": torch.get_num_threads()}
        for name, comparison in comparisons.items():
            if options.only in (None, name):
                results[name] = comparison()
    print(json.dumps(results, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
