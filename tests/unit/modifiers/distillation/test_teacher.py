"""A teacher's outputs on disk: the same as live, without padding, a chunk at a time."""

from __future__ import annotations

import datasets
import numpy as np
import pytest
import torch
import transformers

from sparse_core.errors import ModelError
from sparse_core.modifiers.distillation import teacher as module
from sparse_core.modifiers.distillation.teacher import (
    TeacherOutputCollator,
    model_fingerprint,
    named_inputs,
    run_teacher,
    with_teacher_outputs,
)
from sparse_core.store import cache_root
from tests.refusals import refused

CPU = torch.device("cpu")


class TokenTeacher(torch.nn.Module):
    """Gives outputs of every kind for each token and each row; knows how often it ran."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.arange(20.0).reshape(10, 2))
        self.num_forwards = 0

    def forward(self, input_ids, attention_mask):
        self.num_forwards += 1
        assert not self.training
        per_token = self.weight[input_ids]
        span = per_token[..., 0] - 3.0
        pooled = (per_token * attention_mask[..., None]).sum(1)
        return {"logits": per_token, "start_logits": span, "pooled": pooled, "states": (pooled,)}


def make_rows(num_rows=7):
    ids = [[(row + position) % 10 for position in range(2 + row % 4)] for row in range(num_rows)]
    return datasets.Dataset.from_dict({"input_ids": ids, "labels": list(range(num_rows))})


def collate(rows, padding_side="right"):
    longest = max(len(row["input_ids"]) for row in rows)

    def pad(values):
        missing = [0] * (longest - len(values))
        return values + missing if padding_side == "right" else missing + values

    ids = [list(row["input_ids"]) for row in rows]
    return {
        "input_ids": torch.tensor([pad(row) for row in ids]),
        "attention_mask": torch.tensor([pad([1] * len(row)) for row in ids]),
        "labels": torch.tensor([row["labels"] for row in rows]),
    }


def cached(rows, teacher, keys=("logits",), batch_size=2, collator=collate, inputs=None):
    return with_teacher_outputs(
        rows, rows if inputs is None else inputs, teacher, collator, keys, batch_size, CPU, ("labels",)
    )


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "_ROWS_PER_CHUNK", 4)


def test_outputs_of_tokens_have_no_padding_and_lie_in_the_order_of_the_rows():
    rows = make_rows()
    outputs = cached(rows, TokenTeacher(), ("logits", "start_logits", "pooled"))
    assert outputs.column_names == ["input_ids", "labels", "teacher_logits", "teacher_start_logits", "teacher_pooled"]
    for row in outputs:
        by_hand = [[2.0 * token, 2.0 * token + 1.0] for token in row["input_ids"]]
        assert row["teacher_logits"] == by_hand
        assert row["teacher_start_logits"] == [2.0 * token - 3.0 for token in row["input_ids"]]
        assert row["teacher_pooled"] == [sum(column) for column in zip(*by_hand, strict=True)]
    assert outputs.features["teacher_pooled"].feature.dtype == "float32"


@pytest.mark.parametrize("padding_side", ["right", "left"])
def test_a_batch_of_cached_outputs_equals_live_ones(padding_side):
    rows, teacher = make_rows(), TokenTeacher()
    collator = lambda batch: collate(batch, padding_side)  # noqa: E731
    keys = ("logits", "start_logits", "pooled")
    batch = TeacherOutputCollator(collator)(list(cached(rows, teacher, keys, collator=collator)))
    live = run_teacher(teacher, batch, keys, ("labels",))
    mask = batch["attention_mask"].bool()
    for key in keys:
        ours = batch[f"teacher_{key}"]
        assert ours.shape == live[key].shape and ours.dtype == torch.float32
        if key == "pooled":
            assert torch.equal(ours, live[key])
        else:
            assert torch.equal(ours[mask], live[key][mask]) and not ours[~mask].any()


def test_the_teacher_runs_once_over_chunks_of_whole_batches():
    rows, teacher = make_rows(9), TokenTeacher()
    first = cached(rows, teacher)
    assert teacher.num_forwards == 5  # chunks of 4, 4 and 1 rows, batches of 2
    assert cached(rows, teacher)["teacher_logits"][:] == first["teacher_logits"][:]
    assert teacher.num_forwards == 5
    cached(rows, teacher, ("pooled",))
    assert teacher.num_forwards == 10
    with torch.no_grad():
        teacher.weight += 1
    cached(rows, teacher)
    assert teacher.num_forwards == 15


def test_a_teacher_reads_rows_of_its_own():
    rows = make_rows(3)
    own = datasets.Dataset.from_dict({"input_ids": [[1], [2], [3]], "labels": [0, 0, 0]})
    outputs = cached(rows, TokenTeacher(), ("pooled",), inputs=own)
    assert outputs["input_ids"][:] == rows["input_ids"][:]
    assert outputs["teacher_pooled"][:] == [[2.0, 3.0], [4.0, 5.0], [6.0, 7.0]]


def test_rows_of_its_own_must_be_as_many():
    with refused(ModelError, "teacher_dataset"):
        cached(make_rows(3), TokenTeacher(), inputs=make_rows(2))


def test_a_teacher_that_fails_leaves_nothing_behind():
    def broken(rows):
        if rows[0]["labels"] >= 4:
            raise RuntimeError("out of memory")
        return collate(rows)

    with pytest.raises(RuntimeError, match="out of memory"):
        cached(make_rows(8), TokenTeacher(), collator=broken)
    assert list((cache_root() / "teacher_outputs").iterdir()) == []


def test_few_outputs_are_in_memory_at_a_time(monkeypatch):
    sizes = []
    whole = module._list_array
    monkeypatch.setattr(module, "_list_array", lambda rows: sizes.append(len(rows)) or whole(rows))
    assert len(cached(make_rows(11), TokenTeacher())) == 11
    assert sizes == [4, 4, 3]


def test_what_a_teacher_does_not_take_is_left_out():
    class Plain(torch.nn.Module):
        def forward(self, **inputs):
            return {"names": torch.tensor([len(inputs)])}

    batch = {"input_ids": torch.tensor([[1]]), "attention_mask": torch.tensor([[1]]), "labels": torch.tensor([0])}
    teacher = TokenTeacher().train()
    outputs = run_teacher(teacher, {**batch, "token_type_ids": torch.tensor([[0]])}, ["logits"], ("labels",))
    assert outputs["logits"].tolist() == [[[2.0, 3.0]]] and not outputs["logits"].requires_grad
    assert named_inputs(teacher) == {"input_ids", "attention_mask"}
    assert named_inputs(Plain()) is None
    assert run_teacher(Plain(), batch, ["names"], ("labels",))["names"].tolist() == [2]


def test_an_output_must_be_there_and_be_a_tensor():
    batch = collate(list(make_rows(2)))
    for key in ("logit", "states"):
        with refused(ModelError, "distill_teacher"):
            run_teacher(TokenTeacher(), batch, [key], ("labels",))


def test_lists_of_arrays_of_any_depth():
    flat = module._list_array([np.float32([1, 2]), np.float32([3])])
    assert flat.to_pylist() == [[1.0, 2.0], [3.0]]
    deep = module._list_array([np.zeros((1, 2, 3), np.float32), np.ones((2, 2, 3), np.float32)])
    assert [np.shape(row) for row in deep.to_pylist()] == [(1, 2, 3), (2, 2, 3)]
    assert str(deep.type.value_type).endswith("[3]>[2]")


def test_the_fingerprint_of_a_teacher_is_of_all_that_it_computes_with(tmp_path):
    def bert(model_class=transformers.BertForSequenceClassification, **config):
        torch.manual_seed(0)
        sizes = {"hidden_size": 8, "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 10}
        return model_class(transformers.BertConfig(**{**sizes, "num_attention_heads": 2, **config}))

    teacher = bert()
    others = [
        bert(hidden_act="relu"),
        bert(num_attention_heads=4),
        bert(layer_norm_eps=1e-3),
        bert(transformers.BertForTokenClassification),
        bert(),
    ]
    for other in others[:3]:
        other.load_state_dict(teacher.state_dict())
    with torch.no_grad():
        others[-1].classifier.bias += 1
    assert len({model_fingerprint(model) for model in (teacher, *others)}) == 6
    assert model_fingerprint(bert()) == model_fingerprint(teacher)
    teacher.save_pretrained(tmp_path / "a")
    loaded = type(teacher).from_pretrained(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "b")
    moved = type(teacher).from_pretrained(tmp_path / "b")
    assert loaded.config._name_or_path != moved.config._name_or_path
    assert model_fingerprint(loaded) == model_fingerprint(moved)


def test_two_writers_with_one_process_number_leave_whole_outputs(monkeypatch):
    """As in two containers that share the cache: while the first writes, the second starts and ends."""
    monkeypatch.setattr("os.getpid", lambda: 1)
    rows, seconds = make_rows(), []

    def slow(batch):
        if not seconds:
            seconds.append(None)
            seconds[0] = cached(rows, TokenTeacher())["teacher_logits"][:]
        return collate(batch)

    first = cached(rows, TokenTeacher(), collator=slow)
    assert first["teacher_logits"][:] == seconds[0]
    assert [len(row) for row in seconds[0]] == [len(ids) for ids in rows["input_ids"]]
    assert len(list((cache_root() / "teacher_outputs").iterdir())) == 1
