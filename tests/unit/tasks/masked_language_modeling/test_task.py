"""Rows, masks and scores of masked language modeling, and its training."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import pickle

import datasets
import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers

import sparse_core.tasks.data
from sparse_core.errors import ConfigError, DataError, ModelError
from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization
from sparse_core.modifiers.quantization.settings import QuantizationSettings
from sparse_core.sources.data.data_file import DataFile
from sparse_core.sources.data.split_writer import write_split
from sparse_core.tasks import DatasetSchema, get_task, load_tokenizer, read_schema
from sparse_core.tasks.inference import predict, torch_forward
from sparse_core.tasks.masked_language_modeling.masking import MaskingCollator, mask_row, masked_positions
from sparse_core.tasks.rows import ColumnChoice
from sparse_core.training import Trainer, TrainingArguments
from sparse_core.training.streamed import StreamedMetrics
from tests.unit.tasks.conftest import make_model, make_tokenizer

NAME = "masked_language_modeling"
TASK = get_task(NAME)
LINES = get_task(NAME, {"line_by_line": True})
MASK, SPECIAL = 4, np.arange(5)
TEXTS = ["a good film", "", "the bad plot", "very very good", "   ", "a very badly good film plot", "bad"]


@pytest.fixture
def directory(tmp_path):
    torch.manual_seed(0)
    return make_model(tmp_path / "model", model_class=transformers.BertForMaskedLM)


@pytest.fixture
def tokenizer(directory):
    return TASK.load_tokenizer(directory)


def make_dataset(directory, texts, **task_args):
    """A Dataset artifact whose splits are the same texts."""
    directory.mkdir()
    schema = pa.schema([("text", pa.string())])
    for split in ("train", "validation"):
        with pa.OSFile(str(directory / f"{split}.arrow"), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_batch(pa.record_batch([list(texts)], schema=schema))
    num_rows = {"train": len(texts), "validation": len(texts)}
    DatasetSchema(NAME, {"text": "text"}, [], num_rows, task_args).write(directory)
    return directory


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "dataset", TEXTS * 4, line_by_line=True)


# --- options and rows


@pytest.mark.parametrize("value", [0.0, 1.0, -0.1, 1.5])
def test_a_probability_is_between_0_and_1(value):
    with pytest.raises(ConfigError) as caught:
        get_task(NAME, {"mlm_probability": value})
    assert caught.value.setting == "task_args.mlm_probability"


def test_only_rows_of_one_text_each_are_cut():
    assert LINES.cuts_rows and not TASK.cuts_rows
    assert TASK.joins_rows and not LINES.joins_rows


def test_blocks_do_not_depend_on_the_number_of_cores(tmp_path, tokenizer, monkeypatch):
    data = make_dataset(tmp_path / "blocks", [f"{text} {number}" for number, text in enumerate(TEXTS * 4)])
    monkeypatch.setattr(sparse_core.tasks.data, "_num_processes", lambda num_rows: 3)
    monkeypatch.setattr(sparse_core.tasks.data, "_ROWS_PER_BATCH", 5)
    many = TASK.load_split(data, "train", tokenizer, 8)["input_ids"][:]
    monkeypatch.setattr(sparse_core.tasks.data, "_num_processes", lambda num_rows: None)
    monkeypatch.setenv("SPARSE_CORE_CACHE", str(tmp_path / "another"))
    assert TASK.load_split(data, "train", tokenizer, 8)["input_ids"][:] == many


def source_of(tmp_path, content, name="corpus.csv"):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return DataFile("train_file", path)


def read(tmp_path, content, name="corpus.csv", **choice):
    """The texts that reach the Arrow file."""
    source = source_of(tmp_path, content, name)
    reader = TASK.row_reader(source, ColumnChoice(**choice))
    write_split(source, reader, tmp_path / "train.arrow")
    reader.found_options()
    return reader, datasets.Dataset.from_file(str(tmp_path / "train.arrow"))["text"][:]


def test_the_column_is_text_or_the_only_one_with_text(tmp_path):
    assert read(tmp_path, "title,text\na,one\nb,two\n")[1] == ["one", "two"]
    reader, texts = read(tmp_path, "id,sentence,label\n1,one,0\n2,two,1\n")
    assert texts == ["one", "two"] and reader.source_columns == {"text": "sentence"} and reader.label_field is None
    assert read(tmp_path, "title,text\na,one\nb,two\n", text_column="title")[1] == ["a", "b"]


def test_a_choice_between_columns_is_left_to_the_user(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, "title,body,id\na,one,1\n")
    assert caught.value.setting == "text_column"
    with pytest.raises(DataError) as caught:
        read(tmp_path, "id,size\n1,2\n")
    assert caught.value.setting == "text_column"
    with pytest.raises(DataError) as caught:
        read(tmp_path, "title,text\na,one\n", text_column="txt")
    assert caught.value.setting == "text_column"
    with pytest.raises(DataError) as caught:
        read(tmp_path, "title,text\na,one\n", label_column="title")
    assert caught.value.setting == "label_column"


def test_blank_texts_are_kept_empty_and_counted(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="sparse_core"):
        texts = read(tmp_path, '{"text": "one"}\n{"text": " "}\n{"text": ""}\n{"text": "two"}\n', "corpus.jsonl")[1]
    assert texts == ["one", "", "", "two"]
    assert "train: 2 of 4 texts are blank and give no tokens" in caplog.messages


def test_texts_that_cannot_be_used(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, '{"text": " "}\n{"text": ""}\n', "corpus.jsonl")
    assert caught.value.setting == "train_file"
    with pytest.raises(DataError) as caught:
        read(tmp_path, '{"text": "one"}\n{"text": null}\n', "corpus.jsonl")
    assert caught.value.setting == "train_file"
    with pytest.raises(DataError) as caught:
        read(tmp_path, '{"text": "one"}\n{"text": 5}\n', "corpus.jsonl")
    assert caught.value.setting == "train_file"


# --- tokens


def test_texts_are_put_together_and_cut(tokenizer):
    columns = TASK.tokenize({"text": TEXTS}, range(len(TEXTS)), tokenizer, 8)
    together = []
    for text in TEXTS:
        together += tokenizer(text)["input_ids"] if text.strip() else []
    assert [id for row in columns["input_ids"] for id in row] == together
    assert [len(row) for row in columns["input_ids"]] == [8] * (len(together) // 8) + [len(together) % 8]
    assert {name: [len(row) for row in rows] for name, rows in columns.items() if name != "masked"} == {
        name: [len(row) for row in columns["input_ids"]] for name in tokenizer.model_input_names
    }


def test_a_rest_without_a_word_is_left_out(tokenizer):
    rows = {"text": ["a good film"]}  # 5 tokens, the last one of them the separator
    assert [len(ids) for ids in TASK.tokenize(rows, [0], tokenizer, 4)["input_ids"]] == [4]


def test_line_by_line_a_text_is_a_row(tokenizer):
    columns = LINES.tokenize({"text": TEXTS}, range(len(TEXTS)), tokenizer, 6)
    assert columns["input_ids"] == [
        tokenizer(t, truncation=True, max_length=6)["input_ids"] for t in TEXTS if t.strip()
    ]
    assert max(len(ids) for ids in columns["input_ids"]) == 6


def test_texts_longer_than_the_model_reads_raise_no_warning(tokenizer, caplog):
    tokenizer.model_max_length = 4
    with caplog.at_level(logging.WARNING):
        TASK.tokenize({"text": TEXTS}, range(len(TEXTS)), tokenizer, 4)
    assert caplog.messages == []


def test_a_split_of_blank_texts_alone_is_refused(tmp_path, tokenizer):
    with pytest.raises(DataError) as caught:
        TASK.load_split(make_dataset(tmp_path / "blank", ["", " "]), "train", tokenizer, 8)
    assert caught.value.setting == "dataset"


def test_a_tokenizer_without_a_mask_token_is_refused(directory):
    text = (directory / "tokenizer_config.json").read_text()
    (directory / "tokenizer_config.json").write_text(text.replace('"mask_token": "[MASK]"', '"mask_token": null'))
    with pytest.raises(ModelError) as caught:
        TASK.load_tokenizer(directory)
    assert caught.value.setting == "model"


# --- masks


def masks_of(ids, stream="a", probability=0.15, vocab_size=1000):
    return mask_row(np.array(ids), SPECIAL, probability, stream, MASK, vocab_size)


def test_rows_are_padded_on_the_right_so_that_positions_are_those_of_the_batch(directory):
    settings = json.loads((directory / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps({**settings, "padding_side": "left"}))
    assert TASK.load_tokenizer(directory).padding_side == "right"


def test_fifteen_percent_are_chosen_and_of_these_80_masked_10_random_10_kept():
    ids = np.arange(5, 100_005)
    masked, labels = masks_of(ids, vocab_size=200_000)
    chosen = labels != -100
    assert chosen.mean() == pytest.approx(0.15, abs=0.005)
    assert np.array_equal(labels[chosen], ids[chosen]) and np.array_equal(masked[~chosen], ids[~chosen])
    of_chosen = masked[chosen]
    shares = [np.mean(of_chosen == MASK), np.mean(of_chosen == ids[chosen])]
    assert shares == [pytest.approx(0.8, abs=0.015), pytest.approx(0.1, abs=0.015)]
    random = of_chosen[(of_chosen != MASK) & (of_chosen != ids[chosen])]
    assert random.min() >= 0 and random.max() < 200_000
    assert np.histogram(random, 4, (0, 200_000))[0] == pytest.approx(len(random) / 4, rel=0.15)


def test_special_tokens_are_never_masked_and_one_other_always_is():
    for number in range(200):
        masked, labels = masks_of([2, 7 + number, 3, 0, 1], probability=0.01)
        assert labels.tolist() == [-100, 7 + number, -100, -100, -100]
        assert masked[[0, 2, 3, 4]].tolist() == [2, 3, 0, 1]
    assert masks_of([2, 3])[1].tolist() == [-100, -100]


def test_masks_follow_from_the_ids_and_the_stream_alone():
    ids = list(range(5, 205))
    assert all(np.array_equal(*pair) for pair in zip(masks_of(ids), masks_of(np.int32(ids)), strict=True))
    assert not np.array_equal(masks_of(ids)[1], masks_of(ids, "b")[1])
    assert not np.array_equal(masks_of(ids)[1] == -100, masks_of([*ids[:-1], 999])[1] == -100)


def splitmix(state, count):
    """SplitMix64 in Python's whole numbers."""
    for step in range(1, count + 1):
        z = (state + step * 0x9E3779B97F4A7C15) % 2**64
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        yield z ^ (z >> 31)


def test_another_machine_sees_the_same_masks():
    assert list(splitmix(1234567, 3)) == [6457827717110365317, 3203168211198807973, 9817491932198370423]
    ids = np.arange(5, 45)
    name = b"".join(int(token).to_bytes(8, "little") for token in ids) + b"evaluation"
    state = int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "little")
    expected = [position for position, value in enumerate(splitmix(state, 40)) if value / 2**64 < 0.15]
    assert masked_positions(ids, SPECIAL, 0.15).tolist() == expected


@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_an_evaluation_masks_a_row_alike_in_every_batch(tokenizer, padding_side):
    tokenizer.padding_side = padding_side
    columns = LINES.tokenize({"text": TEXTS}, range(len(TEXTS)), tokenizer, 16)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    together = LINES.collator(tokenizer)(rows)
    assert set(together) == {"input_ids", "token_type_ids", "attention_mask", "labels"}
    for number, row in enumerate(rows):
        alone = LINES.collator(tokenizer, pad_to=12)([row])
        for name, padding in (("input_ids", 0), ("labels", -100)):
            ours = together[name][number][together["attention_mask"][number].bool()]
            assert ours.tolist() == alone[name][0][alone["attention_mask"][0].bool()].tolist()
            assert set(together[name][number][~together["attention_mask"][number].bool()].tolist()) <= {padding}
        labels = together["labels"][number][together["attention_mask"][number].bool()]
        assert torch.nonzero(labels != -100).flatten().tolist() == row["masked"]
        assert [row["input_ids"][position] for position in row["masked"]] == labels[labels != -100].tolist()
        assert alone["input_ids"].shape == (1, 12)


def test_a_training_masks_anew_in_each_epoch_and_with_each_seed(tokenizer):
    row = {"input_ids": [2, *[5, 6, 7, 8, 9, 10, 11, 12] * 20, 3]}
    collator = TASK.collator(tokenizer, training=True)
    worker = pickle.loads(pickle.dumps(collator))
    seen = []
    for epoch, seed in ((0, 1), (1, 1), (0, 2), (0, 1)):
        collator.set_epoch(epoch, seed)
        seen.append(collator([row])["labels"].tolist())
        assert collator([row, row])["labels"].tolist() == seen[-1] * 2
    assert seen[0] == seen[3] and seen[0] != seen[1] != seen[2] != seen[0]
    assert worker.probability == 0.15 and isinstance(worker, MaskingCollator)


# --- scores


def test_scores_worked_out_by_hand():
    # of the tokens at positions 1 and 3 the model gives 1/4 and, second best, 1/3 to the true ones
    logits = np.full((2, 4, 3), -50.0, dtype=np.float32)
    logits[0, 1] = np.log([0.5, 0.25, 0.25])
    logits[0, 3] = np.log([1 / 6, 1 / 3, 1 / 2])
    logits[1, 0] = [0.0, 0.0, 700.0]
    rows = {"input_ids": [[0, 2, 0, 1], [2, 0]], "masked": [[1, 3], [0]]}
    predictions = TASK.predictions({"logits": logits}, rows)
    assert [ids.tolist() for _, ids in predictions] == [[0, 2], [2]]
    assert [loss for loss, _ in predictions] == [pytest.approx(math.log(4) + math.log(3)), pytest.approx(0.0, abs=1e-9)]
    scores = TASK.score(predictions, datasets.Dataset.from_dict(rows), None)
    assert scores == {
        "accuracy": pytest.approx(1 / 3),
        "cross_entropy": pytest.approx(math.log(12) / 3),
        "perplexity": pytest.approx(12 ** (1 / 3)),
    }
    assert TASK.primary_metric in scores and all(type(value) is float for value in scores.values())


def test_a_perplexity_beyond_all_bounds_stays_a_number():
    rows = datasets.Dataset.from_dict({"input_ids": [[1]], "masked": [[0]]})
    assert math.isfinite(TASK.score([(1e6, np.array([0]))], rows, None)["perplexity"])


def test_agreement_is_over_masked_tokens():
    first = [(0.0, np.array([1, 2, 3])), (0.0, np.array([4]))]
    second = [(9.0, np.array([1, 2, 9])), (0.0, np.array([4]))]
    assert TASK.agreement(first, second) == 0.75


# --- model


def test_the_output_layer_stays_tied_to_the_table(directory, dataset, tmp_path):
    model = LINES.load_model(directory, read_schema(dataset))
    assert type(model).__name__ == "BertForMaskedLM" and not model.training
    tied = model.cls.predictions.decoder
    assert tied.weight is model.bert.embeddings.word_embeddings.weight
    apply_quantization(model, QuantizationSettings())
    assert tied.weight is model.bert.embeddings.word_embeddings.weight
    assert type(tied) is torch.nn.Linear and type(model.bert.embeddings.word_embeddings).__name__ == "QuantEmbedding"
    model.save_pretrained(tmp_path / "quantized")
    make_tokenizer(tmp_path / "quantized")
    again = LINES.load_model(tmp_path / "quantized", read_schema(dataset), trained_head=True)
    assert again.cls.predictions.decoder.weight is again.bert.embeddings.word_embeddings.weight
    batch = LINES.collator(load_tokenizer(directory))([{"input_ids": [2, 5, 6, 3], "attention_mask": [1] * 4}])
    with torch.no_grad():
        assert torch.equal(model.eval()(**batch).logits, again(**batch).logits)


def test_an_encoder_gets_a_head_and_is_no_teacher(tmp_path, dataset):
    encoder = make_model(tmp_path / "encoder")
    model = LINES.load_model(encoder, read_schema(dataset))
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight
    with pytest.raises(ModelError) as caught:
        LINES.load_model(encoder, read_schema(dataset), trained_head=True)
    assert caught.value.setting == "model"


RECIPE = """
training_modifiers:
- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 3.0}
- !LearningRateFunctionModifier {lr_func: linear, init_lr: 0.003, final_lr: 0.0, start_epoch: 0.0, end_epoch: 3.0}
- !DistillationModifier {hardness: 0.5, temperature: 2.0}
- !GMPruningModifier
  init_sparsity: 0.0
  final_sparsity: 0.8
  start_epoch: 0.0
  end_epoch: 2.0
  update_frequency: 0.5
  params: __ALL_PRUNABLE__
- !QuantizationModifier {start_epoch: 1.5, disable_quantization_observer_epoch: 2.5}
"""


class StopAt(transformers.TrainerCallback):
    """Ends the training after a step."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **kwargs):
        control.should_training_stop = state.global_step >= self.step


@pytest.fixture
def make_trainer(directory, dataset, tmp_path, tokenizer):
    torch.manual_seed(7)
    teacher = LINES.load_model(directory, read_schema(dataset), trained_head=True)
    rows = {split: LINES.load_split(dataset, split, tokenizer, 16) for split in ("train", "validation")}

    def make(folder, accumulation=1, **settings):
        callbacks = settings.pop("callbacks", [])
        args = TrainingArguments(
            str(tmp_path / folder),
            per_device_train_batch_size=6 // accumulation,
            gradient_accumulation_steps=accumulation,
            **{"save_strategy": "no", "logging_steps": 1, "disable_tqdm": True, "use_cpu": True, **settings},
        )
        args.batch_eval_metrics = True
        return Trainer(
            model=LINES.load_model(directory, read_schema(dataset)),
            args=args,
            recipe=RECIPE,
            teacher=teacher,
            train_dataset=rows["train"],
            eval_dataset=rows["validation"],
            data_collator=LINES.collator(tokenizer, training=True),
            eval_collator=LINES.collator(tokenizer),
            compute_metrics=StreamedMetrics(LINES, rows["validation"], rows["validation"]),
            callbacks=callbacks,
        )

    return make


@pytest.mark.parametrize("stop", [2, 4, 5])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_resume_at_any_step_gives_the_same_weights_bit_for_bit(make_trainer, stop, accumulation):
    whole = make_trainer("whole", accumulation)
    whole.train()
    settings = {"save_strategy": "steps", "save_steps": 1}
    make_trainer("cut", accumulation, callbacks=[StopAt(stop)], **settings).train()
    resumed = make_trainer("cut", accumulation, **settings)
    resumed.train(resume_from_checkpoint=True)
    assert resumed.state.global_step == whole.state.global_step == 12
    expected, actual = whole.model.state_dict(), resumed.model.state_dict()
    assert [name for name in expected if not torch.equal(expected[name], actual[name])] == []


def test_a_training_scores_what_the_inference_scores(make_trainer, dataset, tokenizer):
    trainer = make_trainer("run", num_train_epochs=1)
    trainer.train()
    scores = trainer.evaluate()
    rows = trainer.eval_dataset
    predictions = predict(torch_forward(trainer.model, LINES), LINES, rows, LINES.collator(tokenizer), 4)
    for name, value in LINES.score(predictions, rows, rows).items():
        assert scores[f"eval_{name}"] == pytest.approx(value, rel=1e-5)
    tied = trainer.model.cls.predictions.decoder
    assert tied.weight is trainer.model.bert.embeddings.word_embeddings.weight and tied.weight.all()
