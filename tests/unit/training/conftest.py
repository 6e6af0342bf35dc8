"""A tiny BERT, rows to train it on, and trainers of both."""

from __future__ import annotations

import datasets
import pytest
import torch
import transformers

from sparse_core.training import Trainer, TrainingArguments


def make_model(seed=0, num_labels=2, dropout=0.1):
    """A BERT of two layers with seeded random weights."""
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
        num_labels=num_labels,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    return transformers.BertForSequenceClassification(config)


def make_rows(num_rows=32, seed=0):
    """Rows of 4 to 11 tokens; the label says whether token 5 is among them."""
    generator = torch.Generator().manual_seed(seed)
    rows = {"input_ids": [], "attention_mask": [], "labels": [], "length": []}
    for row in range(num_rows):
        ids = torch.randint(6, 40, (4 + row % 8,), generator=generator).tolist()
        label = row % 2
        if label:
            ids[1] = 5
        rows["input_ids"].append(ids)
        rows["attention_mask"].append([1] * len(ids))
        rows["labels"].append(label)
        rows["length"].append(len(ids))
    return datasets.Dataset.from_dict(rows)


def collate(features):
    """Pads to the longest row; keeps teacher outputs."""
    longest = max(len(f["input_ids"]) for f in features)
    pad = lambda values: [list(v) + [0] * (longest - len(v)) for v in values]  # noqa: E731
    batch = {key: torch.tensor(pad([f[key] for f in features])) for key in ("input_ids", "attention_mask")}
    batch.update(
        {k: torch.tensor([f[k] for f in features]) for k in features[0] if k == "labels" or k.startswith("teacher_")}
    )
    return batch


@pytest.fixture
def make_trainer(tmp_path):
    """Makes a trainer of a tiny model; settings go to TrainingArguments, the rest to Trainer."""

    def make(folder="run", model=None, rows=None, trainer_class=Trainer, recipe=None, **settings):
        of_trainer = {k: settings.pop(k) for k in ("distill_teacher", "stop_epoch", "callbacks") if k in settings}
        if trainer_class is Trainer:
            of_trainer["recipe"] = recipe
        values = {
            "per_device_train_batch_size": 8,
            "learning_rate": 1e-3,
            "save_strategy": "no",
            "logging_steps": 1,
            "disable_tqdm": True,
            "use_cpu": True,
            **settings,
        }
        arguments_class = TrainingArguments if trainer_class is Trainer else transformers.TrainingArguments
        return trainer_class(
            model=make_model() if model is None else model,
            args=arguments_class(output_dir=str(tmp_path / folder), **values),
            train_dataset=make_rows() if rows is None else rows,
            eval_dataset=make_rows(16, seed=1),
            data_collator=collate,
            **of_trainer,
        )

    return make
