"""The demo: generated sentences, a small BERT, and a config that trains it in a few minutes.

A grammar of opinions makes the sentences. The label is the polarity of the last clause after negation, so single
words do not decide it. Some labels are flipped, so no model reaches an accuracy of 1.
"""

from __future__ import annotations

import csv
import logging
import random
from pathlib import Path
from typing import Any

import yaml

from sparse_core.errors import DependencyError

SEED = 20
NUM_ROWS = {"train": 2400, "validation": 400, "test": 400}
LABEL_NOISE = 0.025
SPARSITY = 0.8

logger = logging.getLogger("sparse_pipelines.demo")

POSITIVE = (
    "wonderful lovely bright warm funny clever moving fresh elegant charming superb gentle brave rich honest".split()
)
NEGATIVE = "awful dull bleak cold boring clumsy hollow stale ugly annoying dreadful harsh lazy poor false".split()
SUBJECTS = (
    "film story script music acting ending plot cast scene dialogue picture soundtrack pacing cinema hero".split()
)
OPENERS = ["", "i think", "we felt", "they say", "to me", "in short", "my friend said"]
TAILS = ["", "in the end", "from the first minute", "for the most part", "on a big screen", "at home", "as expected"]
INTENSIFIERS = ["", "very", "really", "quite", "so", "truly"]
COPULAS = {1: ["is", "was", "seemed", "felt"], -1: ["is not", "was never", "was hardly", "did not seem"]}
"""Sign -> verbs: -1 negates the adjective that follows."""

RECIPE = "sst2/pruned90_quant"
SETTINGS: dict[str, Any] = {
    "pipeline": "sparse_transfer",
    "output_dir": "output",
    "train_file": "data/train.csv",
    "validation_file": "data/validation.csv",
    "test_file": "data/test.csv",
    "text_column": "sentence",
    "label_column": "label",
    "model": "sparse",
    "teacher_model": "dense",
    "recipe": RECIPE,
    "recipe_args": {"num_epochs": 10, "qat_start_epoch": 7.0, "observer_epoch": 9.0, "init_lr": 1e-3},
    "teacher_recipe": "dense/base",
    "teacher_recipe_args": {"num_epochs": 6, "init_lr": 1e-3},
    "max_seq_length": 32,
    "batch_sizes": "1,16",
    "sequence_lengths": "16,32",
}


def write_demo(folder: Path) -> Path:
    """Writes the same data, models and config below `folder` each time, and returns the config's path.

    Raises:
        DependencyError: torch or transformers is not installed.
    """
    try:
        from transformers.utils import logging as transformers_logging
    except ImportError:
        raise DependencyError("", "the demo trains a model", fix="install `sparse-pipelines[all]`") from None
    transformers_logging.disable_progress_bar()
    logger.info("demo: data and models in %s", folder)
    for split, rows in make_rows().items():
        _write_csv(folder / "data" / f"{split}.csv", rows)
    _write_models(folder)
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(SETTINGS, sort_keys=False), encoding="utf-8")
    return config


def make_rows() -> dict[str, list[tuple[str, str]]]:
    """Split -> rows of (sentence, label); about half of the labels are "negative" and half are "positive"."""
    source = random.Random(SEED)
    return {split: [_row(source) for _ in range(count)] for split, count in NUM_ROWS.items()}


def _row(source: random.Random) -> tuple[str, str]:
    sign = source.choice((1, -1))
    sentence = _clause(source, sign)
    if source.random() < 0.4:
        sentence = f"{_clause(source, -sign)} but {sentence}"
    words = f"{source.choice(OPENERS)} {sentence} {source.choice(TAILS)}".split()
    if source.random() < LABEL_NOISE:
        sign = -sign
    return " ".join(words), "positive" if sign > 0 else "negative"


def _clause(source: random.Random, sign: int) -> str:
    """A statement with the polarity `sign`, with or without a negation."""
    verb_sign = source.choice((1, 1, -1))
    adjective = source.choice(POSITIVE if sign * verb_sign > 0 else NEGATIVE)
    subject, verb = source.choice(SUBJECTS), source.choice(COPULAS[verb_sign])
    return f"the {subject} {verb} {source.choice(INTENSIFIERS)} {adjective}"


def _write_csv(path: Path, rows: list[tuple[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("sentence", "label"))
        writer.writerows(rows)


def vocabulary() -> dict[str, int]:
    """WordPiece -> id: special tokens, the grammar's words, and letters for all other words."""
    words = {word for text in (*OPENERS, *TAILS, *INTENSIFIERS, *sum(COPULAS.values(), [])) for word in text.split()}
    words.update(POSITIVE, NEGATIVE, SUBJECTS, ("the", "but"))
    letters = [chr(code) for code in range(ord("a"), ord("z") + 1)]
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    pieces += sorted(words - set(letters))
    return {piece: number for number, piece in enumerate(pieces)}


def _write_models(folder: Path) -> None:
    """Saves a small BERT with seeded random weights as `dense`, and with its smallest weights at 0 as `sparse`."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizer

    vocab = vocabulary()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = BertForMaskedLM(
            BertConfig(
                vocab_size=len(vocab),
                hidden_size=128,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=512,
                max_position_embeddings=128,
            )
        )
    tokenizer = BertTokenizer(vocab=vocab, model_max_length=128)
    for name in ("dense", "sparse"):
        if name == "sparse":
            _zero_smallest(model)
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)


def _zero_smallest(model: Any) -> None:
    """Sets the share SPARSITY of each weight matrix in the encoder, its smallest weights, to zero in place."""
    import torch

    with torch.no_grad():
        for module in model.bert.encoder.modules():
            if isinstance(module, torch.nn.Linear):
                magnitudes = module.weight.abs()
                threshold = magnitudes.flatten().kthvalue(int(SPARSITY * magnitudes.numel())).values
                module.weight.mul_(magnitudes > threshold)
