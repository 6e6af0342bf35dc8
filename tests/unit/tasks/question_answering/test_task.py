"""Windows of contexts, the tokens of answers, scores of whole splits, and models that learn from them."""

from __future__ import annotations

import json
import logging
import pickle

import numpy as np
import pyarrow as pa
import pytest
import tokenizers
import torch
import transformers
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from sparse_core.errors import ConfigError, ModelError
from sparse_core.sources.data.data_file import DataFile
from sparse_core.sources.data.split_writer import write_split
from sparse_core.tasks import DatasetSchema, get_task
from sparse_core.tasks.data import read_examples
from sparse_core.tasks.inference import predict, torch_forward
from sparse_core.tasks.rows import ColumnChoice

LETTERS = "abcdefghijklmnopqrstuvwxyz"
CONTEXT = "a b c d e f g h i j"
"""Ten tokens; token i starts at character 2 * i."""
TASK = get_task("question_answering", {"doc_stride": 2})


def fast(backend, **tokens):
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **tokens)


def word_pieces():
    """BERT's: lower case without accents, a token for each letter at the beginning or inside of a word, and emoji."""
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*LETTERS, *(f"##{letter}" for letter in LETTERS), "😀", "?"]
    vocabulary = {token: index for index, token in enumerate([*specials, *pieces])}
    backend = tokenizers.BertWordPieceTokenizer(vocabulary)._tokenizer
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    return fast(backend, model_input_names=["input_ids", "token_type_ids", "attention_mask"], **names)


def bytes_of_text():
    """RoBERTa's: one token for each byte, no token types, four special tokens around a pair."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", *alphabet])}
    backend = tokenizers.Tokenizer(models.BPE(vocabulary, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    return fast(backend, model_input_names=["input_ids", "attention_mask"], **names)


def sentence_pieces():
    """ALBERT's and XLM-R's: the space before a word belongs to its token."""
    names = ["<s>", "<pad>", "</s>", "<unk>", "▁", *LETTERS, *(f"▁{letter}" for letter in LETTERS)]
    backend = tokenizers.Tokenizer(models.Unigram([(name, -1.0) for name in names], unk_id=3))
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return fast(backend, pad_token="<pad>", unk_token="<unk>", cls_token="<s>", sep_token="</s>")


def no_special_tokens():
    """One that puts none around a pair, and has no CLS."""
    backend = tokenizers.Tokenizer(models.WordLevel({"<pad>": 0, **{x: i for i, x in enumerate(LETTERS, 1)}}, "<pad>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return fast(backend, pad_token="<pad>")


WORD_PIECES = word_pieces()
ALL_TOKENIZERS = {"bert": WORD_PIECES, "roberta": bytes_of_text(), "xlm-roberta": sentence_pieces()}


def example(context, *texts, question="q", start=None):
    """A row whose answers stand where they are found first."""
    starts = [context.index(text) if start is None else start for text in texts]
    return {"question": question, "context": context, "answers": {"text": list(texts), "answer_start": starts}}


def windows_of(*rows, tokenizer=WORD_PIECES, length=9, task=TASK, first_number=0):
    """The windows of the rows, as a list of dicts."""
    columns = {name: [row[name] for row in rows] for name in ("question", "context", "answers")}
    numbers = range(first_number, first_number + len(rows))
    windows = task.tokenize(columns, numbers, tokenizer, length)
    return [dict(zip(windows, values, strict=True)) for values in zip(*windows.values(), strict=True)]


def tokens_of_context(window):
    return [tuple(place) for place in np.reshape(window["offsets"], (-1, 2)).tolist() if place[0] >= 0]


def labelled(window, context):
    """The text between the labels; None where they say that there is no answer."""
    start, end = window["start_positions"], window["end_positions"]
    if start == end == window["null_position"]:
        return None
    offsets = np.reshape(window["offsets"], (-1, 2))
    return context[offsets[start, 0] : offsets[end, 1]]


# --- windows --------------------------------------------------------------------------------------------------------


def test_a_short_context_is_one_window_token_by_token():
    (window,) = windows_of(example("a bc", "bc"), length=16, first_number=5)
    ids = WORD_PIECES.convert_tokens_to_ids(["[CLS]", "q", "[SEP]", "a", "b", "##c", "[SEP]"])
    assert window["input_ids"] == ids
    assert window["attention_mask"] == [1] * 7 and window["token_type_ids"] == [0, 0, 0, 1, 1, 1, 1]
    assert window["offsets"].tolist() == [-1, -1, -1, -1, -1, -1, 0, 1, 2, 3, 3, 4, -1, -1]
    assert window["offsets"].dtype == np.int32  # half of the disk that the default would take
    assert (window["start_positions"], window["end_positions"]) == (4, 5)
    assert (window["null_position"], window["example"]) == (0, 5)


@pytest.mark.parametrize("doc_stride", [0, 1, 2, 4])
def test_windows_share_doc_stride_tokens_and_hold_the_whole_context(doc_stride):
    task = get_task("question_answering", {"doc_stride": doc_stride})
    windows = [tokens_of_context(window) for window in windows_of(example(CONTEXT, "a"), task=task)]
    assert all(len(window) == 5 for window in windows[:-1])  # 9 less one of the question and three special ones
    for one, following in zip(windows, windows[1:], strict=False):
        assert len(set(one) & set(following)) == doc_stride
        assert one[len(one) - doc_stride :] == following[:doc_stride]
    assert sorted(set().union(*windows)) == [(2 * i, 2 * i + 1) for i in range(10)]


def test_rows_of_several_examples_point_to_theirs():
    windows = windows_of(example(CONTEXT, "a"), example("a b", "b"), example(CONTEXT, "j"), first_number=100)
    assert [window["example"] for window in windows] == [100, 100, 100, 101, 102, 102, 102]


def test_labels_of_an_answer_at_the_border_of_windows():
    # windows of five tokens that share two: a-e, d-h, g-j
    assert [labelled(window, CONTEXT) for window in windows_of(example(CONTEXT, "d e"))] == ["d e", "d e", None]
    assert [labelled(window, CONTEXT) for window in windows_of(example(CONTEXT, "e f"))] == [None, "e f", None]
    assert [labelled(window, CONTEXT) for window in windows_of(example(CONTEXT, "a b c d e"))] == [
        "a b c d e",
        None,
        None,
    ]
    assert [labelled(window, CONTEXT) for window in windows_of(example(CONTEXT, "j"))] == [None, None, "j"]


def test_an_answer_that_no_window_holds_and_none_at_all_are_at_the_null_position():
    for row in (example(CONTEXT, "c d e f g h"), example(CONTEXT)):
        windows = windows_of(row)
        assert [window["start_positions"] for window in windows] == [0, 0, 0]
        assert [window["end_positions"] for window in windows] == [0, 0, 0]


def test_the_first_answer_is_the_label():
    (window,) = windows_of(example("a b c", "c", "a"), length=16)
    assert labelled(window, "a b c") == "c"


@pytest.mark.parametrize("name", ALL_TOKENIZERS)
@pytest.mark.parametrize(
    ("context", "answer"),
    [
        ("a b c", "b"),
        ("  a   b  c ", "a   b"),
        ("abc de f", "de"),
        ("😀😀 ab 😀 c", "😀 c"),
        ("😀😀 ab 😀 c", "ab"),
        ("e\u0301te\u0301 ab", "e\u0301te\u0301"),
        ("e\u0301te\u0301 ab", "ab"),
        ("ab e\u0301te\u0301", "e\u0301te\u0301"),
        ("❤\ufe0f ab", "❤\ufe0f"),
        ("été ab", "été"),
        ("日本 a 語", "日本"),
        ("日本 a 語", "語"),
        ("a\u200bb c", "c"),
        ("ﬁn a", "a"),
    ],
)
def test_offsets_count_characters_in_every_kind_of_tokenizer(name, context, answer):
    (window,) = windows_of(example(context, answer), tokenizer=ALL_TOKENIZERS[name], length=64)
    assert labelled(window, context).strip() == answer  # white space before a token is no part of an answer


def test_all_bytes_of_a_character_belong_to_it():
    (window,) = windows_of(example("a😀b", "😀"), tokenizer=ALL_TOKENIZERS["roberta"], length=32)
    assert "token_type_ids" not in window
    # <s> q </s></s> a, four bytes of the emoji, b </s>
    assert (window["start_positions"], window["end_positions"]) == (5, 8)
    assert tokens_of_context(window) == [(0, 1), *[(1, 2)] * 4, (2, 3)]


def test_an_accent_that_the_tokenizer_keeps_is_its_own_token():
    (window,) = windows_of(example("ae\u0301b", "e\u0301"), tokenizer=ALL_TOKENIZERS["roberta"], length=32)
    assert tokens_of_context(window) == [(0, 1), (1, 2), (2, 3), (2, 3), (3, 4)]
    (window,) = windows_of(example("ae\u0301b", "e\u0301"), length=32)
    assert tokens_of_context(window) == [(0, 1), (1, 3), (3, 4)]


def test_white_space_around_an_answer_is_not_labelled():
    (window,) = windows_of(example("a b c", " b "), length=16)
    assert labelled(window, "a b c") == "b"


def test_an_answer_inside_of_a_token_is_labelled_with_the_whole_token():
    names = ["<pad>", "seven", "times", "q"]
    backend = tokenizers.Tokenizer(models.WordLevel({name: i for i, name in enumerate(names)}, "<pad>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    (window,) = windows_of(example("seven times", "even time"), tokenizer=fast(backend, pad_token="<pad>"))
    assert labelled(window, "seven times") == "seven times"


def test_without_a_cls_token_the_first_one_stands_for_no_answer():
    windows = windows_of(example(CONTEXT, "j"), tokenizer=no_special_tokens(), length=8)
    assert [window["null_position"] for window in windows] == [0, 0]
    assert [labelled(window, CONTEXT) for window in windows] == [None, "j"]


def test_the_null_position_is_that_of_cls_wherever_it_is():
    tokenizer = word_pieces()
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A [SEP]", pair="$A [SEP] $B:1 [SEP]:1 [CLS]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    first, *_ = windows_of(example(CONTEXT, "j"), tokenizer=tokenizer)
    assert first["null_position"] == first["start_positions"] == first["end_positions"] == 8


def test_a_context_of_which_no_token_is_left():
    (window,) = windows_of(example("\u200b", "\u200b"), length=16)
    assert tokens_of_context(window) == [] and labelled(window, "\u200b") is None


# --- long questions and little room ---------------------------------------------------------------------------------


def test_white_space_before_a_question_is_dropped():
    plain, spaced = windows_of(example("a b", "b"), example("a b", "b", question=" \n q"), length=16)
    assert plain["input_ids"] == spaced["input_ids"]
    byte_level = ALL_TOKENIZERS["roberta"]
    plain, spaced = windows_of(
        example("a b", "b"), example("a b", "b", question="  q"), length=16, tokenizer=byte_level
    )
    assert plain["input_ids"] == spaced["input_ids"]


@pytest.mark.parametrize("name", ALL_TOKENIZERS)
def test_a_question_that_leaves_no_room_is_cut_and_that_is_logged_once(name, caplog):
    tokenizer = ALL_TOKENIZERS[name]
    task = get_task("question_answering", {"doc_stride": 4})
    length = {"bert": 22, "roberta": 24, "xlm-roberta": 25}[name]  # each its own, since the log is once for each
    rows = [example(CONTEXT, "j", question="q " * 500), example(CONTEXT, "j")]
    with caplog.at_level(logging.WARNING):
        windows = windows_of(*rows, tokenizer=tokenizer, length=length, task=task)
        windows_of(*rows, tokenizer=tokenizer, length=length, task=task)
    assert len(caplog.messages) == 1
    assert f"to leave room for the context beside max_seq_length {length} and doc_stride 4" in caplog.messages[0]
    assert all(len(window["input_ids"]) <= length for window in windows)
    long = [window for window in windows if window["example"] == 0]
    places = [set(tokens_of_context(window)) for window in long]
    assert len(set.union(*places)) == len(tokens_of_context(windows_of(rows[1], tokenizer=tokenizer, length=64)[0]))
    assert any(labelled(window, CONTEXT) for window in long)
    assert "".join(tokenizer.decode(long[0]["input_ids"]).split()).count("q") > 2


def test_a_question_that_leaves_room_is_whole(caplog):
    # 20 tokens are 3 special ones, 4 shared by windows, 13 others; 13 // 4 of them remain for the context's new ones
    task = get_task("question_answering", {"doc_stride": 4})
    with caplog.at_level(logging.WARNING):
        whole = windows_of(example(CONTEXT, "j", question="q " * 10), length=20, task=task)
    assert [window["input_ids"][:12].count(whole[0]["input_ids"][1]) for window in whole] == [10] * len(whole)
    assert [len(tokens_of_context(window)) for window in whole] == [7, 7] and not caplog.messages
    cut = windows_of(example(CONTEXT, "j", question="q " * 11), length=20, task=task)
    assert [window["input_ids"] for window in cut] == [window["input_ids"] for window in whole]


@pytest.mark.parametrize("length", [3, 4])
def test_no_room_for_question_and_context(length):
    task = get_task("question_answering", {"doc_stride": 0})
    with pytest.raises(ConfigError) as caught:
        windows_of(example("a", "a"), length=length, task=task)
    assert caught.value.setting == "max_seq_length"
    assert len(windows_of(example(CONTEXT, "a"), length=5, task=task)) == 10


def test_windows_that_would_share_all_that_they_have():
    with pytest.raises(ConfigError) as caught:
        windows_of(example("a", "a"), length=128, task=get_task("question_answering", {"doc_stride": 128}))
    assert caught.value.setting == "task_args.doc_stride"
    task = get_task("question_answering", {"doc_stride": 123})
    assert len(windows_of(example("a " * 140, "a"), length=128, task=task)) == 17  # each a step of one token


# --- options --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("length", "shared"), [(384, 128), (100, 33), (7, 2), (6, 1), (5, 0)])
def test_windows_share_a_third_of_max_seq_length_unless_told_otherwise(length, shared):
    context = "a b c d e f g h i j " * 60
    one, two = windows_of(example(context, "a"), length=length, task=get_task("question_answering"))[:2]
    assert len(set(tokens_of_context(one)) & set(tokens_of_context(two))) == shared


def test_the_defaults_are_sparsemls():
    assert get_task("question_answering").options.model_dump() == {
        "version_2_with_negative": False,
        "doc_stride": None,  # 128 of SparseML's default max_seq_length 384
        "n_best_size": 20,
        "max_answer_length": 30,
        "null_score_diff_threshold": 0.0,
    }


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"doc_stride": -1}, "task_args.doc_stride"),
        ({"n_best_size": 0}, "task_args.n_best_size"),
        ({"max_answer_length": 0}, "task_args.max_answer_length"),
        ({"null_score_diff_threshold": 1.5}, "task_args.null_score_diff_threshold"),
        ({"max_answer_lenght": 3}, "task_args.max_answer_lenght"),
    ],
)
def test_options_that_are_refused(options, setting):
    with pytest.raises(ConfigError) as caught:
        get_task("question_answering", options)
    assert caught.value.setting == setting


# --- scores ---------------------------------------------------------------------------------------------------------

ROWS = [example(CONTEXT, "e f", "f"), example("a b c", "b"), example(CONTEXT, "j"), example("d e", question="d")]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """A Dataset artifact, made as `fetch_dataset` makes it."""
    directory = tmp_path_factory.mktemp("dataset")
    file = directory / "train.jsonl"
    file.write_text("\n".join(map(json.dumps, ROWS)))
    source = DataFile("train_file", file)
    task = get_task("question_answering", {"version_2_with_negative": True, "doc_stride": 2})
    reader = task.row_reader(source, ColumnChoice())
    num_rows = write_split(source, reader, directory / "train.arrow")
    DatasetSchema(task.name, reader.source_columns, [], {"train": num_rows}, task.options.model_dump()).write(directory)
    return directory


@pytest.fixture(scope="module")
def rows(dataset, tmp_path_factory):
    """Windows of ROWS: three, one, three and one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSE_CORE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return TASK.load_split(dataset, "train", WORD_PIECES, 9)


def predictions(rows, task=TASK, null=0.0, **spans):
    """Predictions of a model that is sure of a span (w2=(3, 4): tokens of window 2), and says nothing of the others."""
    start, end = np.zeros((2, len(rows), 9), dtype=np.float32)
    start[:, 0] = end[:, 0] = null / 2
    for name, (first, last) in spans.items():
        start[int(name[1:]), first] = end[int(name[1:]), last] = 5.0
    return task.predictions({"start_logits": start, "end_logits": end}, rows[:])


def test_the_cache_holds_windows_with_narrow_types(rows, dataset):
    assert len(rows) == 8 and rows["example"][:] == [0, 0, 0, 1, 2, 2, 2, 3]
    assert rows.features["offsets"].feature.dtype == "int32"
    assert rows["length"][:] == [9, 9, 8, 7, 9, 9, 8, 6]
    assert read_examples(dataset, "train")[0] == {"id": "1", **ROWS[0]}
    assert read_examples(dataset, "train").data.schema.field("answers").type == pa.struct(
        [("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))]
    )


def test_a_model_that_says_the_labels_is_right(rows, dataset):
    start = np.eye(9, dtype=np.float32)[rows["start_positions"][:]]
    end = np.eye(9, dtype=np.float32)[rows["end_positions"][:]]
    version_2 = get_task("question_answering", {"version_2_with_negative": True})
    found = version_2.predictions({"start_logits": start, "end_logits": end}, rows[:])
    scores = version_2.score(found, rows, read_examples(dataset, "train"))
    assert scores == dict.fromkeys(
        ["exact_match", "f1", "HasAns_exact_match", "HasAns_f1", "NoAns_exact_match", "NoAns_f1"], 1.0
    )
    assert all(type(score) is float for score in scores.values()) and version_2.primary_metric in scores


def test_scores_worked_out_by_hand(rows, dataset):
    # ROWS[0]: "d e f" (window 1 begins with d); against "e f" 4 / 5, against "f" 2 / 4. ROWS[1]: right. ROWS[2]: "h",
    # wrong. ROWS[3]: "d", and there is none.
    found = predictions(rows, w1=(3, 5), w3=(4, 4), w5=(7, 7), w7=(3, 3))
    scores = TASK.score(found, rows, read_examples(dataset, "train"))
    assert scores == {"exact_match": 1 / 4, "f1": pytest.approx((0.8 + 1) / 4)}
    version_2 = get_task("question_answering", {"version_2_with_negative": True})
    assert version_2.score(found, rows, read_examples(dataset, "train")) == {
        "exact_match": 1 / 4,
        "f1": pytest.approx((0.8 + 1) / 4),
        "HasAns_exact_match": 1 / 3,
        "HasAns_f1": pytest.approx((0.8 + 1) / 3),
        "NoAns_exact_match": 0.0,
        "NoAns_f1": 0.0,
    }


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, 1.0), (9.0, 0.0), (-11.0, 1.0)])
def test_the_threshold_decides_whether_there_is_an_answer(rows, dataset, threshold, expected):
    options = {"version_2_with_negative": True, "null_score_diff_threshold": threshold}
    task = get_task("question_answering", options)
    found = predictions(rows, task, null=8.0, w1=(4, 5))  # the span has 10, all others 0, and none 8
    scores = task.score(found, rows, read_examples(dataset, "train"))
    assert scores["NoAns_exact_match"] == expected
    assert scores["HasAns_exact_match"] == (0.0 if threshold < -2 else 1 / 3)


def test_only_the_questions_of_the_given_rows_are_scored(rows, dataset):
    examples = read_examples(dataset, "train")
    found = predictions(rows, w1=(4, 5), w3=(3, 3))
    assert TASK.score(found, rows, examples)["exact_match"] == 1 / 4
    assert TASK.score(found[:3], rows.select(range(3)), examples) == {"exact_match": 1.0, "f1": 1.0}
    assert TASK.score(found[3:4], rows.select([3]), examples) == {"exact_match": 0.0, "f1": 0.0}
    mixed = [3, 1]
    assert TASK.score([found[i] for i in mixed], rows.select(mixed), examples)["exact_match"] == 1 / 2


def test_version_2_leaves_out_an_answer_of_articles_alone(dataset):
    examples = read_examples(dataset, "train").from_list([example("the a b", "the", "b")])
    windows = examples.from_list(windows_of(example("\u200b", "\u200b")))
    nothing = predictions(windows)  # for want of a token of the context
    assert TASK.score(nothing, windows, examples) == {"exact_match": 1.0, "f1": 1.0}
    version_2 = get_task("question_answering", {"version_2_with_negative": True})
    scores = version_2.score(nothing, windows, examples)
    assert scores == dict.fromkeys(["exact_match", "f1", "HasAns_exact_match", "HasAns_f1"], 0.0)


def test_engines_agree_where_start_and_end_are_the_same(rows):
    first, second = predictions(rows, w0=(3, 4), w1=(3, 4)), predictions(rows, w0=(3, 4), w1=(3, 5))
    assert TASK.agreement(first, first) == 1.0
    assert TASK.agreement(first, second) == 7 / 8


# --- models ---------------------------------------------------------------------------------------------------------

SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
CONFIGS = {
    "bert": lambda size: transformers.BertConfig(vocab_size=size, max_position_embeddings=64, **SIZES),
    "roberta": lambda size: transformers.RobertaConfig(
        vocab_size=size, max_position_embeddings=66, pad_token_id=1, **SIZES
    ),
}
SCHEMA = DatasetSchema("question_answering", {}, [], {})


def save_model(directory, name, auto_class=transformers.AutoModelForQuestionAnswering, **values):
    tokenizer = ALL_TOKENIZERS[name]
    config = CONFIGS[name](len(tokenizer))
    config.update(values)
    torch.manual_seed(0)
    auto_class.from_config(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.mark.parametrize("name", CONFIGS)
def test_a_model_learns_the_labels(tmp_path, name):
    directory = save_model(tmp_path, name)
    task = get_task("question_answering", {"doc_stride": 2})
    model, tokenizer = task.load_model(directory, SCHEMA), task.load_tokenizer(directory)
    windows = windows_of(example("a b c d", "c"), example("e 😀 g", "😀 g"), tokenizer=tokenizer, length=20, task=task)
    batch = task.collator(tokenizer, training=True)(windows)
    assert set(batch) == {*tokenizer.model_input_names, "start_positions", "end_positions"}
    assert batch["start_positions"].shape == (2,) and batch["start_positions"].dtype == torch.int64
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        outputs = model(**batch)
        losses.append(outputs.loss.item())
        optimizer.zero_grad()
        outputs.loss.backward()
        assert all(x.grad is not None for key, x in model.named_parameters() if "pooler" not in key)
        optimizer.step()
    assert losses[-1] < 0.1 < losses[0]
    assert list(outputs)[1:3] == list(task.output_names)
    inputs = {key: x.numpy() for key, x in batch.items() if key not in task.label_columns}
    columns = {key: [window[key] for window in windows] for key in windows[0]}
    found = task.predictions(torch_forward(model, task)(inputs), columns)
    assert [text.spans[0].tolist() for text in found] == [[4, 5], [2, 5]]
    assert found[0].likeliest == (windows[0]["start_positions"], windows[0]["end_positions"])


def test_predictions_do_not_depend_on_batches(rows, tmp_path):
    model = TASK.load_model(save_model(tmp_path, "bert"), SCHEMA)
    forward, collator = torch_forward(model, TASK), TASK.collator(WORD_PIECES)
    alone = predict(forward, TASK, rows, collator, 1)
    together = predict(forward, TASK, rows, TASK.collator(WORD_PIECES, pad_to=12), 8)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        assert one.null_score == pytest.approx(other.null_score, abs=1e-5)
    assert TASK.agreement(alone, together) == 1.0


def test_the_head_has_two_outputs_whatever_the_checkpoint_was_for(tmp_path, caplog):
    classifier = save_model(tmp_path, "bert", transformers.AutoModelForSequenceClassification, num_labels=5)
    assert json.loads((classifier / "config.json").read_text())["id2label"].keys() == set("01234")
    model = TASK.load_model(classifier, SCHEMA)
    assert model.qa_outputs.weight.shape == (2, 16) and not model.training
    with pytest.raises(ModelError) as caught:
        TASK.load_model(classifier, SCHEMA, trained_head=True)
    assert caught.value.setting == "model"


def test_a_trained_head_comes_back(tmp_path):
    directory = save_model(tmp_path, "roberta")
    weights = transformers.AutoModelForQuestionAnswering.from_pretrained(directory).qa_outputs.weight
    model = TASK.load_model(directory, SCHEMA, trained_head=True)
    assert torch.equal(model.qa_outputs.weight, weights)


def test_positions_count_from_the_first_token_whatever_the_side_of_padding(tmp_path):
    directory = save_model(tmp_path, "bert")
    config = json.loads((directory / "tokenizer_config.json").read_text())
    (directory / "tokenizer_config.json").write_text(json.dumps({**config, "padding_side": "left"}))
    tokenizer = TASK.load_tokenizer(directory)
    windows = windows_of(example("a b", "b"), example(CONTEXT, "j"), tokenizer=tokenizer, length=20)
    batch = TASK.collator(tokenizer)(windows)
    assert batch["input_ids"][0, batch["start_positions"][0]] == tokenizer.convert_tokens_to_ids("b")
    assert batch["attention_mask"][0].tolist() == [1] * 6 + [0] * 8


def test_the_collator_can_go_to_a_worker_process():
    windows = windows_of(example("a b", "b"), example("a b c", "b"), length=20)
    batch = pickle.loads(pickle.dumps(TASK.collator(WORD_PIECES)))(windows)
    assert batch["attention_mask"].tolist() == [[1] * 6 + [0], [1] * 7]
    assert not {"offsets", "example", "null_position"} & set(batch)
