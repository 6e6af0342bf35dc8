"""A tiny tokenizer, tiny models and a tiny Dataset artifact."""

from __future__ import annotations

import pyarrow as pa
import pytest
import transformers
from tokenizers import BertWordPieceTokenizer

from sparse_core.tasks import DatasetSchema

SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = ["good", "bad", "film", "plot", "a", "the", "very", "##ly"]
TEXTS = ["a good film", "the bad plot", "very very good", "bad", "a very badly good film plot"]
LABELS = [1, 0, 1, 0, 1]
MAX_POSITIONS = 16


def make_tokenizer(directory, words=WORDS, lowercase=True, pad_token="[PAD]"):
    """Saves a BERT tokenizer for `words`."""
    vocabulary = {token: index for index, token in enumerate([*SPECIALS, *words])}
    names = {"unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    backend = BertWordPieceTokenizer(vocabulary, lowercase=lowercase)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer,
        pad_token=pad_token,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **names,
    )
    tokenizer.save_pretrained(directory)


def make_config(**values):
    """A BERT with one layer and hidden size 8."""
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return transformers.BertConfig(vocab_size=16, max_position_embeddings=MAX_POSITIONS, **sizes, **values)


def make_model(directory, labels=None, model_class=None):
    """Saves a model with its tokenizer: an encoder, or, when `labels` are given, a classifier for these."""
    directory.mkdir(parents=True, exist_ok=True)
    if labels is None:
        model = (model_class or transformers.BertModel)(make_config())
    else:
        config = make_config(id2label=dict(enumerate(labels)), label2id={name: i for i, name in enumerate(labels)})
        model = transformers.BertForSequenceClassification(config)
    model.save_pretrained(directory)
    make_tokenizer(directory)
    return directory


def make_dataset(
    directory,
    texts=TEXTS,
    labels=LABELS,
    label_names=("0", "1"),
    *,
    pairs=None,
    label_type=None,
    splits=(),
    **task_args,
):
    """Writes a Dataset artifact of text classification whose splits all have the same rows.

    Args:
        directory: where.
        texts: the texts.
        labels: what `label_type`, int64 unless given, holds.
        label_names: the labels.
        pairs: the second texts, where there are any.
        label_type: Arrow type of the labels.
        splits: names of splits besides train and validation.
        task_args: options of the task.
    """
    directory.mkdir(parents=True, exist_ok=True)
    texts_of = {"text": list(texts), **({} if pairs is None else {"text_pair": list(pairs)})}
    types = [(name, pa.string()) for name in texts_of] + [("label", label_type or pa.int64())]
    batch = pa.record_batch([*texts_of.values(), list(labels)], schema=pa.schema(types))
    splits = ("train", "validation", *splits)
    for split in splits:
        with (
            pa.OSFile(str(directory / f"{split}.arrow"), "wb") as sink,
            pa.ipc.new_stream(sink, batch.schema) as writer,
        ):
            writer.write_batch(batch)
    schema = DatasetSchema(
        task="text_classification",
        source_columns={"text": "sentence", "label": "label"},
        label_names=list(label_names),
        num_rows=dict.fromkeys(splits, len(texts)),
        task_args=task_args,
    )
    schema.write(directory)
    return directory


@pytest.fixture
def encoder(tmp_path):
    return make_model(tmp_path / "encoder")


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "dataset")
