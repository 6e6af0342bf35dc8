"""The Model artifact: a checked copy of what a model needs."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import BertWordPieceTokenizer

from sparse_core.artifacts.model import Model
from sparse_core.artifacts.record import RunRecord
from sparse_core.errors import ModelError, OutputError
from sparse_core.steps.fetch_model import CONTENT_PREFIX, fetch_model
from sparse_core.store import identity
from tests.refusals import refused

FILES = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A tiny BERT with its tokenizer, as `save_pretrained` leaves them."""
    directory = tmp_path_factory.mktemp("saved")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=BertWordPieceTokenizer(vocabulary)._tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    ).save_pretrained(directory)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.BertConfig(vocab_size=len(vocabulary), max_position_embeddings=16, **sizes)
    transformers.BertModel(config).save_pretrained(directory)
    return directory


@pytest.fixture
def model(saved, tmp_path):
    """A copy of the tiny model that a test may change."""
    directory = tmp_path / "model"
    directory.mkdir()
    for name in FILES:
        (directory / name).write_bytes((saved / name).read_bytes())
    return directory


def test_the_copy_loads_and_gives_the_same_outputs(saved, tmp_path):
    output = tmp_path / "out"
    facts = fetch_model(output, model=str(saved))
    assert sorted(file.name for file in output.iterdir()) == sorted([*FILES, "manifest.json"])
    assert facts == {"size_bytes": sum((saved / name).stat().st_size for name in FILES)}
    record = RunRecord.read(output)
    assert (record.step, record.settings) == ("fetch_model", {"model": str(saved), "revision": ""})
    batch = transformers.AutoTokenizer.from_pretrained(output)("good bad", return_tensors="pt")
    first, second = (transformers.AutoModel.from_pretrained(path).eval() for path in (saved, output))
    with torch.inference_mode():
        assert torch.equal(first(**batch).last_hidden_state, second(**batch).last_hidden_state)


@pytest.mark.slow
def test_shards_are_all_copied(saved, model, tmp_path):
    (model / "model.safetensors").unlink()
    transformers.AutoModel.from_pretrained(saved).save_pretrained(model, max_shard_size="1KB")
    shards = sorted(file.name for file in model.glob("model-*.safetensors"))
    assert len(shards) > 1
    fetch_model(tmp_path / "out", model=str(model))
    assert sorted(file.name for file in (tmp_path / "out").glob("model-*.safetensors")) == shards
    assert transformers.AutoModel.from_pretrained(tmp_path / "out").num_parameters() > 0


def test_records_of_a_training_come_along_and_checkpoints_do_not(model, tmp_path):
    for name in ("recipe.yaml", "metrics.json", "training_args.bin", "modeling_mine.py"):
        (model / name).write_text("{}")
    (model / "checkpoint").mkdir()
    (model / "checkpoint" / "optimizer.pt").write_text("")
    RunRecord(step="prune", log_history=[{"loss": 1.0}]).write(model)
    fetch_model(tmp_path / "out", model=str(model))
    assert Model(tmp_path / "out").log_history() == [{"loss": 1.0}]
    copied = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert copied == sorted([*FILES, "manifest.json", "metrics.json", "recipe.yaml"])


def test_a_later_change_of_the_source_does_not_reach_the_copy(model, tmp_path):
    fetch_model(tmp_path / "out", model=str(model))
    before = identity(tmp_path / "out")
    with (model / "model.safetensors").open("r+b") as stream:
        stream.write(b"\xff" * 100)
    assert identity(tmp_path / "out") == before


def test_the_directory_must_be_the_one_that_was_submitted(model, tmp_path):
    revision = CONTENT_PREFIX + identity(model)
    fetch_model(tmp_path / "same", model=str(model), revision=revision)
    (model / "config.json").write_text((model / "config.json").read_text() + "\n")
    with refused(ModelError, "revision"):
        fetch_model(tmp_path / "other", model=str(model), revision=revision)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("file", "setting"),
    [
        ("config.json", "model"),
        ("model.safetensors", "model"),
        ("tokenizer.json", "model"),
    ],
)
def test_a_directory_that_lacks_a_file(model, tmp_path, file, setting):
    (model / file).unlink()
    with pytest.raises(ModelError) as caught:
        fetch_model(tmp_path / "out", model=str(model))
    assert caught.value.setting == setting
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_pickled_weights_give_the_same_model(saved, model, tmp_path):
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    torch.save(weights, model / "pytorch_model.bin")
    facts = fetch_model(tmp_path / "out", model=str(model), revision=CONTENT_PREFIX + identity(model))
    assert sorted(RunRecord.read(tmp_path / "out").files) == FILES
    assert facts["size_bytes"] > sum(tensor.nbytes for tensor in weights.values())
    first, second = (transformers.AutoModel.from_pretrained(path).state_dict() for path in (saved, tmp_path / "out"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_tied_weights_of_a_pickled_language_model_stay_tied(model, tmp_path):
    config = transformers.AutoConfig.from_pretrained(model)
    first = transformers.BertForMaskedLM(config).eval()
    first.config.save_pretrained(model)
    (model / "model.safetensors").unlink()
    # transformers 4 before 4.31 kept this buffer
    torch.save(first.state_dict() | {"bert.embeddings.position_ids": torch.arange(16)}, model / "pytorch_model.bin")
    fetch_model(tmp_path / "out", model=str(model))
    second = transformers.AutoModelForMaskedLM.from_pretrained(tmp_path / "out").eval()
    assert second.get_output_embeddings().weight is second.get_input_embeddings().weight
    ids = torch.tensor([[2, 5, 4, 3]])
    assert torch.equal(first(ids).logits, second(ids).logits)
    classifier = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out")
    assert torch.equal(classifier.get_input_embeddings().weight, first.get_input_embeddings().weight)


def test_a_pickle_that_is_refused_leaves_nothing(model, tmp_path):
    (model / "model.safetensors").unlink()
    torch.save({"step": 1}, model / "pytorch_model.bin")
    with pytest.raises(ModelError) as caught:
        fetch_model(tmp_path / "out", model=str(model))
    assert caught.value.setting == "model"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_stub_from_a_mirror(model, tmp_path, monkeypatch):
    stub = "nlp/text_classification/obert-base/pytorch/huggingface/mnli/base-none"
    (tmp_path / "mirror" / stub).mkdir(parents=True)
    model.rename(tmp_path / "mirror" / stub / "training")
    monkeypatch.setenv("SPARSE_CORE_ZOO_MIRROR", str(tmp_path / "mirror"))
    fetch_model(tmp_path / "out", model=f"zoo:{stub}")
    assert sorted(RunRecord.read(tmp_path / "out").files) == FILES


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(ModelError) as caught:
        fetch_model(tmp_path / "out", model="./bert")
    assert caught.value.setting == "model"


def test_an_output_in_use_keeps_what_it_has(model, tmp_path):
    with pytest.raises(OutputError) as caught:
        fetch_model(tmp_path, model=str(model))
    assert caught.value.setting == "output"
    assert sorted(file.name for file in model.iterdir()) == FILES


@pytest.mark.slow
def test_it_loads_no_deep_learning_library(model, tmp_path):
    code = (
        "import sys; from pathlib import Path\n"
        "from sparse_core.steps.fetch_model import fetch_model\n"
        f"fetch_model(Path({str(tmp_path / 'out')!r}), model={str(model)!r})\n"
        "print(sorted({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
