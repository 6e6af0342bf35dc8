"""Small data, a small BERT with its own vocabulary, and the artifacts made from them."""

from __future__ import annotations

import csv
import random

import pytest
import torch
import transformers
from tokenizers import BertWordPieceTokenizer

from sparse_core.modifiers.pruning.masks import keep_top
from sparse_core.modifiers.pruning.parameters import prunable_parameters
from sparse_core.steps.fetch_dataset import fetch_dataset
from sparse_core.steps.fetch_recipe import fetch_recipe

GOOD, BAD = ["good", "fine", "great", "lovely"], ["bad", "poor", "awful", "dull"]
FILLERS = [f"word{i}" for i in range(20)]
SETTINGS = {"max_seq_length": 16, "per_device_train_batch_size": 8, "per_device_eval_batch_size": 16}
RECIPE = """
version: 1.1.0
num_epochs: 3
qat_start_epoch: 2.0
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
pruning_modifiers:
  - !ConstantPruningModifier
    start_epoch: 0.0
    params: __ALL_PRUNABLE__
quantization_modifiers:
  - !QuantizationModifier
    start_epoch: eval(qat_start_epoch)
    disable_quantization_observer_epoch: 2.5
    quantize_linear_activations: 0
    exclude_module_types: [LayerNorm, Tanh]
distillation_modifiers:
  - !DistillationModifier
    hardness: 0.9
    temperature: 2.0
"""


def write_rows(path, num_rows, seed):
    """A CSV whose label says whether the sentence has a good or a bad word."""
    rng = random.Random(seed)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["sentence", "label"])
        for row in range(num_rows):
            words = rng.choices(FILLERS, k=rng.randint(2, 8))
            words.insert(rng.randrange(len(words)), rng.choice((BAD, GOOD)[row % 2]))
            writer.writerow([" ".join(words), row % 2])


def write_model(directory, seed=0, sparsity=0.0, vocabulary=()):
    """A Hugging Face directory of a BERT with 2 layers and hidden size 16."""
    directory.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *GOOD, *BAD, *FILLERS, *vocabulary]
    (directory / "vocab.txt").write_text("\n".join(words) + "\n")
    backend = BertWordPieceTokenizer(str(directory / "vocab.txt"), lowercase=True)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
    tokenizer.save_pretrained(directory)
    torch.manual_seed(seed)
    config = transformers.BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    model = transformers.BertModel(config)
    with torch.no_grad():
        for name, weight in prunable_parameters(model).items():
            if ".layer." in name:
                weight.mul_(keep_top(weight.abs(), sparsity))
    model.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    """Artifacts that several tests read: data set, recipe, dense and sparse model, and a teacher."""
    from sparse_core.steps.train_teacher import train_teacher

    root = tmp_path_factory.mktemp("inputs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSE_CORE_CACHE", str(root / "cache"))
        for split, num_rows in (("train", 64), ("validation", 24), ("test", 24)):
            write_rows(root / f"{split}.csv", num_rows, seed=num_rows)
        files = {f"{split}_file": str(root / f"{split}.csv") for split in ("train", "validation", "test")}
        fetch_dataset(root / "dataset", **files)
        (root / "recipe.yaml").write_text(RECIPE)
        fetch_recipe(root / "recipe", recipe=str(root / "recipe.yaml"))
        fetch_recipe(root / "dense_recipe", recipe="dense/base", recipe_args='{"num_epochs": 2, "init_lr": 0.003}')
        write_model(root / "dense")
        write_model(root / "sparse", sparsity=0.5)
        train_teacher(root / "dense", root / "dataset", root / "dense_recipe", root / "teacher", **SETTINGS)
    return root
