"""Tags for words: labels of word pieces, tokenizers, batches, predictions and scores."""

from __future__ import annotations

import json
import math
import shutil

import datasets
import numpy as np
import pytest
import tokenizers
import torch
import transformers

from sparse_core.errors import ConfigError, ModelError
from sparse_core.tasks import DatasetSchema, get_task, load_tokenizer
from sparse_core.tasks.inference import predict, torch_forward
from sparse_core.tasks.tokenizers import tokenizer_difference, tokenizer_fingerprint
from tests.unit.tasks.conftest import make_tokenizer

NAMES = ["B-LOC", "B-PER", "I-PER", "O"]
LOC, PER, MORE, OUT = range(4)
PIECES = ["ann", "lee", "##s", "sings", "in", "rome", "."]  # ids from 5 on
ROWS = {
    "tokens": [["Ann", "Lees", "sings", "in", "Rome", "."], ["Romes"], ["In", "Rome"]],
    "tags": [[PER, MORE, OUT, OUT, LOC, OUT], [PER], [OUT, LOC]],
}
MAX_POSITIONS = 24
SIZES = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
SCHEMA = DatasetSchema("token_classification", {"tokens": "tokens", "tags": "ner_tags"}, NAMES, {"train": 3})


def task_with(**options):
    return get_task("token_classification", {"tag_names": NAMES, **options})


TASK = task_with()


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A BERT encoder whose tokenizer knows PIECES."""
    directory = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=12, max_position_embeddings=MAX_POSITIONS, **SIZES)
    transformers.BertModel(config).save_pretrained(directory)
    make_tokenizer(directory, words=PIECES)
    return directory


@pytest.fixture(scope="module")
def roberta(tmp_path_factory):
    """A RoBERTa encoder with a byte-level tokenizer that puts no space before the first word."""
    directory = tmp_path_factory.mktemp("roberta")
    learner = tokenizers.ByteLevelBPETokenizer()
    specials = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    learner.train_from_iterator(["in Rome Ann Lees sings in Rome"] * 9, vocab_size=290, special_tokens=specials)
    learner.save_model(str(directory))
    transformers.RobertaTokenizerFast.from_pretrained(directory).save_pretrained(directory)
    torch.manual_seed(0)
    config = transformers.RobertaConfig(vocab_size=290, max_position_embeddings=MAX_POSITIONS + 2, **SIZES)
    transformers.RobertaModel(config).save_pretrained(directory)
    return directory


def with_backend(directory, target, **parts):
    """A copy of a model whose tokenizer is of no class of its own, and has other parts."""
    shutil.copytree(directory, target)
    backend = json.loads((target / "tokenizer.json").read_text())
    (target / "tokenizer.json").write_text(json.dumps({**backend, **parts}))
    config = json.loads((target / "tokenizer_config.json").read_text())
    config.pop("add_prefix_space")
    (target / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": "PreTrainedTokenizerFast"}))
    return target


def tokenized(task, tokenizer, max_seq_length=MAX_POSITIONS, rows=ROWS):
    return task.tokenize(rows, range(len(rows["tokens"])), tokenizer, max_seq_length)


# --- labels of tokens -----------------------------------------------------------------------------------------------


def test_the_first_piece_of_a_word_has_its_tag(bert):
    columns = tokenized(TASK, TASK.load_tokenizer(bert))
    assert columns["input_ids"] == [[2, 5, 6, 7, 8, 9, 10, 11, 3], [2, 10, 7, 3], [2, 9, 10, 3]]
    assert columns["labels"] == [
        [-100, PER, MORE, -100, OUT, OUT, LOC, OUT, -100],
        [-100, PER, -100, -100],
        [-100, OUT, LOC, -100],
    ]
    assert set(columns) == {"input_ids", "token_type_ids", "attention_mask", "labels"}


def test_all_pieces_have_a_tag_and_further_ones_are_inside(bert):
    columns = tokenized(task_with(label_all_tokens=True), TASK.load_tokenizer(bert))
    assert columns["labels"][0] == [-100, PER, MORE, MORE, OUT, OUT, LOC, OUT, -100]
    assert columns["labels"][1] == [-100, PER, MORE, -100]  # B-PER goes on as I-PER


def test_a_tag_without_an_inner_one_is_kept(bert):
    rows = {"tokens": [["Romes", "Lees"]], "tags": [[LOC, OUT]]}
    columns = tokenized(task_with(label_all_tokens=True), TASK.load_tokenizer(bert), rows=rows)
    assert columns["labels"] == [[-100, LOC, LOC, OUT, OUT, -100]]


def test_words_that_become_no_token_shift_nothing(bert):
    rows = {"tokens": [["\u200b", "Ann", "\x01", "in", "\ufeff", "Rome"]], "tags": [[OUT, PER, OUT, OUT, OUT, LOC]]}
    columns = tokenized(TASK, TASK.load_tokenizer(bert), rows=rows)
    assert columns["input_ids"] == [[2, 5, 9, 10, 3]]
    assert columns["labels"] == [[-100, PER, OUT, LOC, -100]]


def test_what_is_beyond_the_length_has_no_label(bert):
    columns = tokenized(TASK, TASK.load_tokenizer(bert), max_seq_length=4)
    assert columns["input_ids"] == [[2, 5, 6, 3], [2, 10, 7, 3], [2, 9, 10, 3]]
    assert columns["labels"][0] == [-100, PER, MORE, -100]


# --- tokenizers -----------------------------------------------------------------------------------------------------


def test_a_byte_level_tokenizer_sees_where_words_begin(roberta):
    words = ROWS["tokens"][0]
    assert "ĠRome" not in load_tokenizer(roberta)([words], is_split_into_words=True).tokens(0)
    tokenizer = TASK.load_tokenizer(roberta)
    encoding = tokenizer([words], is_split_into_words=True)
    assert encoding.tokens(0)[3:-1] == ["Ġsings", "Ġin", "ĠRome", "Ġ", "."]
    assert encoding.word_ids(0) == [None, 0, 1, 2, 3, 4, 5, 5, None]
    assert tokenized(TASK, tokenizer)["labels"][0] == [-100, PER, MORE, OUT, OUT, LOC, OUT, -100, -100]


def splitting(*steps):
    return {"type": "Sequence", "pretokenizers": [*steps, {**BYTE_LEVEL, "use_regex": False}]}


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
SPLIT = {"type": "Split", "pattern": {"Regex": " ?[A-Za-z]+|'t"}, "behavior": "Isolated", "invert": False}


@pytest.mark.parametrize(
    "parts",
    [
        {"pre_tokenizer": BYTE_LEVEL},
        {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [BYTE_LEVEL]}},
        {"pre_tokenizer": splitting(SPLIT)},
        {"pre_tokenizer": splitting(SPLIT), "normalizer": {"type": "NFC"}},
    ],
)
def test_so_do_those_without_a_class_of_their_own(roberta, tmp_path, parts):
    tokenizer = TASK.load_tokenizer(with_backend(roberta, tmp_path / "model", **parts))
    encoding = tokenizer([["in", "Rome't", "in"]], is_split_into_words=True)
    assert encoding.tokens(0) == ["<s>", "Ġin", "ĠRome", "'", "t", "Ġin", "</s>"]
    assert encoding.word_ids(0) == [None, 0, 1, 1, 1, 2, None]


@pytest.mark.parametrize("parts", [None, {"pre_tokenizer": BYTE_LEVEL}, {"pre_tokenizer": splitting(SPLIT)}])
def test_a_saved_tokenizer_reads_words_as_it_did_in_training(roberta, tmp_path, parts):
    directory = roberta if parts is None else with_backend(roberta, tmp_path / "model", **parts)
    tokenizer = TASK.load_tokenizer(directory)
    words = ROWS["tokens"][0]
    expected = tokenizer([words], is_split_into_words=True)["input_ids"][0]
    shutil.copytree(directory, tmp_path / "saved")
    tokenizer.save_pretrained(tmp_path / "saved")
    plain = transformers.AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert plain([words], is_split_into_words=True)["input_ids"] == [expected]
    backend = tokenizers.Tokenizer.from_file(str(tmp_path / "saved" / "tokenizer.json"))
    assert backend.encode(words, is_pretokenized=True).ids == expected
    again = TASK.load_tokenizer(tmp_path / "saved")
    assert tokenizer_difference(tokenizer, again) == tokenizer_difference(tokenizer, plain) == ""
    assert tokenizer_fingerprint(tokenizer) == tokenizer_fingerprint(again)


def test_tokenizers_that_know_words_are_left_as_they_are(bert):
    assert tokenizer_fingerprint(TASK.load_tokenizer(bert)) == tokenizer_fingerprint(load_tokenizer(bert))


def test_padding_is_on_the_right(bert, tmp_path):
    shutil.copytree(bert, tmp_path / "left")
    config = json.loads((bert / "tokenizer_config.json").read_text())
    (tmp_path / "left" / "tokenizer_config.json").write_text(json.dumps({**config, "padding_side": "left"}))
    assert load_tokenizer(tmp_path / "left").padding_side == "left"
    assert TASK.load_tokenizer(tmp_path / "left").padding_side == "right"


# --- from rows to scores --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("label_all_tokens", [False, True])
@pytest.mark.parametrize("encoder", ["bert", "roberta"])
def test_rows_to_loss_to_scores(request, encoder, label_all_tokens):
    directory = request.getfixturevalue(encoder)
    task = task_with(label_all_tokens=label_all_tokens)
    tokenizer = task.load_tokenizer(directory)
    model = task.load_model(directory, SCHEMA)
    assert model.config.id2label == dict(enumerate(NAMES)) and model.classifier.out_features == 4
    rows = datasets.Dataset.from_dict(tokenized(task, tokenizer, max_seq_length=8))
    assert len(rows[0]["input_ids"]) == 8  # one of the rows is cut

    batch = task.collator(tokenizer)(list(rows))
    assert batch["labels"].shape == batch["input_ids"].shape and batch["labels"].dtype == torch.int64
    assert (batch["labels"][batch["attention_mask"] == 0] == -100).all()
    output = model(**batch)
    labelled = batch["labels"] != -100
    expected = -output.logits.log_softmax(-1)[labelled, batch["labels"][labelled]].mean()
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-5)

    predictions = predict(torch_forward(model, task), task, rows, task.collator(tokenizer), batch_size=2)
    assert [len(row) for row in predictions] == labelled.sum(dim=1).tolist()
    for row, found in zip(rows, predictions, strict=True):
        alone = model(**{name: x for name, x in task.collator(tokenizer)([row]).items() if name != "labels"}).logits[0]
        assert found.tolist() == alone.argmax(-1)[torch.tensor(row["labels"]) != -100].tolist()
    scores = task.score(predictions, rows, rows)
    hits = sum(int((found == gold_of(row)).sum()) for row, found in zip(rows, predictions, strict=True))
    assert scores["accuracy"] == pytest.approx(hits / int(labelled.sum()))
    assert set(scores) == {"precision", "recall", "f1", "accuracy"} and task.primary_metric in scores


def gold_of(row):
    labels = np.array(row["labels"])
    return labels[labels != -100].astype(np.int32)


def test_the_data_itself_has_the_best_scores(bert):
    rows = datasets.Dataset.from_dict(tokenized(TASK, TASK.load_tokenizer(bert)))
    logits = np.full((3, 9, 4), -1, dtype=np.float32)
    for row, labels in zip(logits, rows["labels"], strict=True):
        for token, label in zip(row, labels, strict=False):
            token[label if label >= 0 else OUT] = 1
    predictions = TASK.predictions({"logits": logits}, rows[:])
    assert [row.tolist() for row in predictions] == [gold_of(row).tolist() for row in rows]
    assert predictions[0].dtype == np.int32
    assert TASK.score(predictions, rows, rows) == {"precision": 1.0, "recall": 1.0, "f1": 1.0, "accuracy": 1.0}


def test_labels_are_padded_as_the_inputs_are(bert):
    tokenizer = TASK.load_tokenizer(bert)
    rows = list(datasets.Dataset.from_dict(tokenized(TASK, tokenizer)))[1:]
    batch = TASK.collator(tokenizer, pad_to=6)(rows)
    assert batch["labels"].tolist() == [[-100, PER, *[-100] * 4], [-100, OUT, LOC, *[-100] * 3]]


# --- scores ---------------------------------------------------------------------------------------------------------

# gold: one place and two persons, of whom one ends with the first row, since rows are sentences
LABELS = [[-100, LOC, OUT, PER, -100], [-100, MORE, -100, OUT, -100]]
PREDICTED = [np.array([LOC, LOC, PER]), np.array([OUT, OUT])]


def test_scores_worked_out_by_hand():
    rows = datasets.Dataset.from_dict({"labels": LABELS})
    scores = TASK.score(PREDICTED, rows, rows)
    assert scores == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "accuracy": 3 / 5})
    assert all(type(value) is float for value in scores.values())


def test_scores_of_each_type():
    rows = datasets.Dataset.from_dict({"labels": LABELS})
    scores = task_with(return_entity_level_metrics=True).score(PREDICTED, rows, rows)
    assert {name: value for name, value in scores.items() if "_" in name} == pytest.approx(
        {"LOC_precision": 1 / 2, "LOC_recall": 1.0, "LOC_f1": 2 / 3, "LOC_number": 1}
        | {"PER_precision": 1.0, "PER_recall": 1 / 2, "PER_f1": 2 / 3, "PER_number": 2}
    )
    assert {name for name, value in scores.items() if type(value) is int} == {"LOC_number", "PER_number"}
    assert scores["f1"] == pytest.approx(2 / 3)


def test_scores_of_a_selection_from_several_pieces():
    pieces = [datasets.Dataset.from_dict({"labels": [row]}) for row in LABELS]
    rows = datasets.concatenate_datasets(pieces).select([1, 0])
    whole = datasets.Dataset.from_dict({"labels": LABELS})
    assert TASK.score(PREDICTED[::-1], rows, rows) == TASK.score(PREDICTED, whole, whole)


@pytest.mark.parametrize(("labels", "accuracy"), [([[-100, OUT, OUT]], 1.0), ([[-100, -100]], 0.0)])
def test_scores_without_an_entity_are_0(labels, accuracy):
    rows = datasets.Dataset.from_dict({"labels": labels})
    predictions = [np.full(sum(label != -100 for label in labels[0]), OUT, dtype=np.int32)]
    expected = {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": accuracy}
    assert TASK.score(predictions, rows, rows) == expected


def test_agreement_counts_tokens():
    first = [np.array([1, 2, 3]), np.array([0])]
    assert TASK.agreement(first, first) == 1.0
    assert TASK.agreement(first, [np.array([1, 2, 0]), np.array([1])]) == 0.5
    assert TASK.agreement([np.zeros(0)], [np.zeros(0)]) == 1.0


def test_a_random_model_is_not_perfect(bert):
    """Guards the flow above: scores of 1 there would say nothing."""
    rows = datasets.Dataset.from_dict(tokenized(TASK, TASK.load_tokenizer(bert)))
    outside = [np.full(len(gold_of(row)), OUT, dtype=np.int32) for row in rows]
    scores = TASK.score(outside, rows, rows)
    assert scores["f1"] == 0.0 and scores["accuracy"] == pytest.approx(4 / 9) and math.isfinite(scores["precision"])


# --- models and options ---------------------------------------------------------------------------------------------


def test_a_teacher_needs_a_head_for_these_tags(bert, tmp_path):
    with pytest.raises(ModelError) as caught:
        TASK.load_model(bert, SCHEMA, trained_head=True)
    assert caught.value.setting == "model"
    shutil.copytree(bert, tmp_path / "trained")
    TASK.load_model(bert, SCHEMA).save_pretrained(tmp_path / "trained")
    model = TASK.load_model(tmp_path / "trained", SCHEMA, trained_head=True)
    assert model.config.architectures == ["BertForTokenClassification"] and not model.training
    other = DatasetSchema("token_classification", {}, ["O", "B-PER"], {})
    with pytest.raises(ModelError) as caught:
        TASK.load_model(tmp_path / "trained", other, trained_head=True)
    assert caught.value.setting == "model"


@pytest.mark.parametrize("names", [["O", "O"], ["O", " O"], ["O", ""]])
def test_tag_names_differ(names):
    with pytest.raises(ConfigError) as caught:
        get_task("token_classification", {"tag_names": names})
    assert caught.value.setting == "task_args.tag_names"


def test_unknown_options():
    with pytest.raises(ConfigError) as caught:
        get_task("token_classification", {"label_all": True})
    assert caught.value.setting == "task_args.label_all"


def test_scores_need_the_names_that_the_data_has():
    rows = datasets.Dataset.from_dict({"labels": LABELS})
    with pytest.raises(ConfigError) as caught:
        get_task("token_classification").score(PREDICTED, rows, rows)
    assert caught.value.setting == "task_args.tag_names"
