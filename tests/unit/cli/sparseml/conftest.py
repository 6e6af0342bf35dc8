"""A data set of few rows as files, a small BERT, and commands over them that end in a second."""

from __future__ import annotations

import csv
import json
import random

import pytest
import torch
import transformers
from tokenizers import BertWordPieceTokenizer

from sparse_core.cli.sparseml.parser import parse
from sparse_core.cli.sparseml.training import run_command

WORDS = [f"word{i}" for i in range(20)]
RECIPE = """
num_epochs: 2
training_modifiers:
  - !EpochRangeModifier
    start_epoch: 0.0
    end_epoch: eval(num_epochs)
  - !LearningRateFunctionModifier
    lr_func: linear
    init_lr: 1e-3
    final_lr: 0.0
    start_epoch: 0.0
    end_epoch: eval(num_epochs)
"""
QUANTIZED_RECIPE = (
    RECIPE
    + """
quantization_modifiers:
  - !QuantizationModifier
    start_epoch: 1.0
    quantize_linear_activations: 0
    exclude_module_types: [LayerNorm, Tanh]
"""
)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    """One cache for all tests of a session: what is made of the same data is the same."""
    directory = tmp_path_factory.getbasetemp() / "finetune_cache"
    monkeypatch.setenv("SPARSE_CORE_CACHE", str(directory))
    return directory


def _write_rows(path, count, seed):
    rng = random.Random(seed)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", "label"])
        for row in range(count):
            writer.writerow([" ".join([*rng.choices(WORDS, k=4), ("bad", "good")[row % 2]]), ("neg", "pos")[row % 2]])


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """train.csv, validation.csv and test.csv, two classes; words.jsonl with tags; qa.json; texts.txt."""
    root = tmp_path_factory.mktemp("files")
    for name, count in (("train", 16), ("validation", 8), ("test", 6)):
        _write_rows(root / f"{name}.csv", count, seed=count)
    rng = random.Random(0)
    with (root / "words.jsonl").open("w") as words, (root / "texts.txt").open("w") as texts:
        for row in range(8):
            tokens = rng.choices(WORDS, k=4)
            words.write(
                json.dumps({"tokens": tokens, "ner_tags": ["O", "B-X", "I-X", "B-Y" if row % 2 else "O"]}) + "\n"
            )
            texts.write(" ".join(tokens) + "\n")
    questions = [
        {"id": f"q{i}", "question": "where", "context": f"word1 word{i} word3",
         "answers": {"text": [f"word{i}"], "answer_start": [6]}}
        for i in range(4, 10)
    ]  # fmt: skip
    (root / "qa.json").write_text(json.dumps({"data": questions}))
    return root


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A Hugging Face directory of a BERT with 1 layer, hidden size 16, 32 positions and a masked language head."""
    directory = tmp_path_factory.mktemp("model")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad", "where", *WORDS]
    (directory / "vocab.txt").write_text("\n".join(words) + "\n")
    backend = BertWordPieceTokenizer(str(directory / "vocab.txt"), lowercase=True)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip
    tokenizer.save_pretrained(directory)
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32,
    )  # fmt: skip
    transformers.BertForMaskedLM(config).save_pretrained(directory)
    return directory


@pytest.fixture
def words(files, model, tmp_path):
    """Words of a command that trains for two epochs into tmp_path/out, with more or other flags by name."""

    def make(**flags):
        values = {
            "model_name_or_path": model,
            "train_file": files / "train.csv",
            "validation_file": files / "validation.csv",
            "output_dir": tmp_path / "out",
            "do_train": True,
            "do_eval": True,
            "recipe": RECIPE,
            "save_strategy": "epoch",
            "max_seq_length": 16,
            **flags,
        }
        return [f"--{name}={value}" for name, value in values.items() if value is not None]

    return make


@pytest.fixture
def run(words):
    """Runs a command; gives its metrics."""

    def make(task="text_classification", **flags):
        return run_command(parse(task, words(**flags)))

    return make


@pytest.fixture
def quantized_recipe():
    """Two epochs, the second quantized."""
    return QUANTIZED_RECIPE


@pytest.fixture
def distilling_recipe():
    """Two epochs with a teacher."""
    return RECIPE + "distillation_modifiers:\n  - !DistillationModifier\n    hardness: 0.5\n    temperature: 2.0\n"
