"""Loading tokenizers, and telling whether two are the same."""

from __future__ import annotations

import json
import re
import shutil

import pytest
import transformers

from sparse_core.errors import ModelError
from sparse_core.tasks import load_tokenizer
from sparse_core.tasks.tokenizers import save_tokenizer, tokenizer_difference, tokenizer_fingerprint
from tests.unit.tasks.conftest import MAX_POSITIONS, WORDS, make_model, make_tokenizer


def test_the_model_limits_what_the_tokenizer_may_give(encoder):
    tokenizer = load_tokenizer(encoder)
    assert tokenizer.is_fast
    assert tokenizer.model_max_length == MAX_POSITIONS
    assert tokenizer("a good film")["input_ids"] == [2, 9, 5, 7, 3]


def test_roberta_reads_two_tokens_fewer_than_it_has_positions(encoder):
    config = json.loads((encoder / "config.json").read_text())
    (encoder / "config.json").write_text(json.dumps({**config, "model_type": "roberta"}))
    assert load_tokenizer(encoder).model_max_length == MAX_POSITIONS - 2


def test_a_vocabulary_alone_is_a_tokenizer(encoder):
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (encoder / name).unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (encoder / "vocab.txt").write_text("\n".join(words) + "\n")
    assert load_tokenizer(encoder)("a good film")["input_ids"] == [2, 9, 5, 7, 3]


def test_no_tokenizer(encoder):
    (encoder / "tokenizer.json").unlink()
    with pytest.raises(ModelError) as caught:
        load_tokenizer(encoder)
    assert caught.value.setting == "model"


def test_a_damaged_tokenizer(encoder):
    (encoder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError) as caught:
        load_tokenizer(encoder)
    assert caught.value.setting == "model"


def test_a_tokenizer_that_cannot_pad(encoder):
    make_tokenizer(encoder, pad_token=None)
    with pytest.raises(ModelError) as caught:
        load_tokenizer(encoder)
    assert caught.value.setting == "model"


def test_a_tokenizer_with_more_tokens_than_the_model_has_embeddings(encoder):
    config = json.loads((encoder / "config.json").read_text())
    num_tokens = len(load_tokenizer(encoder))
    (encoder / "config.json").write_text(json.dumps({**config, "vocab_size": num_tokens - 1}))
    f"^model: the tokenizer of {encoder} has {num_tokens} tokens, but .* for {num_tokens - 1} only .*; use "
    with pytest.raises(ModelError) as caught:
        load_tokenizer(encoder)
    assert caught.value.setting == "model"
    del config["vocab_size"]
    (encoder / "config.json").write_text(json.dumps(config))
    assert len(load_tokenizer(encoder)) == num_tokens


def test_saving_a_tokenizer_again_changes_nothing(encoder, tmp_path):
    tokenizer = load_tokenizer(encoder)
    shutil.copytree(encoder, tmp_path / "again")
    tokenizer.save_pretrained(tmp_path / "again")
    again = load_tokenizer(tmp_path / "again")
    assert tokenizer_difference(tokenizer, again) == ""
    assert tokenizer_fingerprint(tokenizer) == tokenizer_fingerprint(again)


def test_use_leaves_the_fingerprint_as_it_is(encoder):
    tokenizer = load_tokenizer(encoder)
    before = tokenizer_fingerprint(tokenizer)
    tokenizer(["a good film", "bad"], truncation=True, max_length=4, padding=True)
    assert tokenizer_fingerprint(tokenizer) == before


def test_use_leaves_nothing_in_what_is_saved(encoder, tmp_path):
    """A server that reads tokenizer.json would cut and pad as the last batch of the training was."""
    saved = []
    for number, directory in enumerate((encoder, encoder, tmp_path / "0")):
        tokenizer = load_tokenizer(directory)
        if number:
            several = {"truncation": "only_second", "stride": 2, "return_overflowing_tokens": True}
            tokenizer(["a", "bad"], ["very good film"] * 2, max_length=7, padding="max_length", **several)
            assert tokenizer.backend_tokenizer.truncation["stride"] == 2
        save_tokenizer(tokenizer, tmp_path / str(number))
        shutil.copy(encoder / "config.json", tmp_path / str(number))
        saved.append({path.name: path.read_text() for path in sorted((tmp_path / str(number)).iterdir())})
    assert saved[0] == saved[1] == saved[2]
    backend = json.loads(saved[1]["tokenizer.json"])
    assert (backend["truncation"], backend["padding"]) == (None, None)


def test_lengths_of_the_source_are_not_saved(encoder, tmp_path):
    backend = json.loads((encoder / "tokenizer.json").read_text())
    backend["truncation"] = {"direction": "Right", "max_length": 5, "strategy": "LongestFirst", "stride": 1}
    backend["padding"] = {"strategy": {"Fixed": 5}, "direction": "Right", "pad_to_multiple_of": 8, "pad_id": 0,
                          "pad_type_id": 0, "pad_token": "[PAD]"}  # fmt: skip
    (encoder / "tokenizer.json").write_text(json.dumps(backend))
    save_tokenizer(load_tokenizer(encoder), tmp_path / "saved")
    shutil.copy(encoder / "config.json", tmp_path / "saved")
    written = json.loads((tmp_path / "saved" / "tokenizer.json").read_text())
    assert (written["truncation"], written["padding"]) == (None, None)
    config = json.loads((tmp_path / "saved" / "tokenizer_config.json").read_text())
    assert not {"max_length", "stride", "truncation_strategy", "pad_to_multiple_of"} & set(config)
    assert config["model_max_length"] == MAX_POSITIONS
    assert len(load_tokenizer(tmp_path / "saved")("a good film a good film")["input_ids"]) == 8


def test_the_fingerprint_follows_what_decides_the_ids(encoder):
    fingerprints = set()
    for changes in ({}, {"words": WORDS[::-1]}, {"lowercase": False}):
        make_tokenizer(encoder, **changes)
        fingerprints.add(tokenizer_fingerprint(load_tokenizer(encoder)))
    tokenizer = load_tokenizer(encoder)
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    fingerprints.add(tokenizer_fingerprint(tokenizer))
    assert len(fingerprints) == 4


@pytest.mark.parametrize(("name", "token"), [("unk_token", None), ("cls_token", "[SEP]")])
def test_the_fingerprint_follows_the_special_tokens(encoder, name, token):
    """Masking spares them, and an answer that is not there points to the first: the texts' ids are the same."""
    before = load_tokenizer(encoder)
    path = encoder / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: token}))
    after = load_tokenizer(encoder)
    assert getattr(after, f"{name}_id") != getattr(before, f"{name}_id")
    assert after("a good film")["input_ids"] == before("a good film")["input_ids"]
    assert tokenizer_fingerprint(after) != tokenizer_fingerprint(before)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"words": [*WORDS, "more"]}, r"its vocabulary has 14 tokens, not 13"),
        ({"words": WORDS[::-1]}, r"the token 'good' has the id 12, not 5"),
        ({"words": ["better", *WORDS[1:]]}, r"the token 'good' has the id none, not 5"),
        ({"lowercase": False}, r"its normalizer is .*\"lowercase\": false\}, not .*\"lowercase\": true\}"),
    ],
)
def test_the_first_difference_is_said(encoder, tmp_path, changes, reason):
    teacher = make_model(tmp_path / "teacher")
    make_tokenizer(teacher, **changes)
    assert re.fullmatch(reason, tokenizer_difference(load_tokenizer(encoder), load_tokenizer(teacher)))


def test_verbosity_is_as_it_was_afterwards(encoder):
    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    load_tokenizer(encoder)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
