"""Where a teacher comes from, and what it reads."""

from __future__ import annotations

import json
import logging

import datasets
import pytest
import torch
import transformers

from sparse_core.errors import ModelError
from sparse_core.tasks import get_task, load_tokenizer, read_schema
from sparse_core.training import Trainer, TrainingArguments
from sparse_core.training.teachers import (
    Teacher,
    head_of,
    problem_type_of,
    resolve_teacher,
    teacher_rows,
    without_teacher_inputs,
)
from tests.unit.tasks.conftest import WORDS, make_dataset, make_model, make_tokenizer

TASK = get_task("text_classification")
RECIPE = """
training_modifiers:
- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 1.0}
- !DistillationModifier {hardness: 1.0, temperature: 1.0}
"""


@pytest.fixture
def student(tmp_path):
    return make_model(tmp_path / "student", labels=["0", "1"])


@pytest.fixture
def other(tmp_path):
    """A teacher whose tokenizer has the same words in another order."""
    directory = make_model(tmp_path / "other", labels=["0", "1"])
    make_tokenizer(directory, words=WORDS[::-1])
    return directory


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "dataset")


def loaded(directory):
    return transformers.AutoModelForSequenceClassification.from_pretrained(directory)


def resolved(teacher, directory, has_own_tokens=False):
    return resolve_teacher(teacher, loaded(directory), load_tokenizer(directory), has_own_tokens=has_own_tokens)


def test_heads():
    names = {
        "BertForQuestionAnswering": (("start_logits", "end_logits"), True, True),
        "DistilBertForTokenClassification": (("logits",), True, True),
        "RobertaForSequenceClassification": (("logits",), False, True),
        "ModernBertForMaskedLM": (("logits",), True, False),
        "Linear": (("logits",), True, True),
    }
    for name, expected in names.items():
        head = head_of(type(name, (torch.nn.Module,), {})())
        assert (head.outputs, head.is_per_token, head.has_fixed_inputs) == expected, name


@pytest.mark.parametrize(
    ("config", "labels", "expected"),
    [
        ({"problem_type": "multi_label_classification"}, torch.tensor([1]), "multi_label_classification"),
        ({"num_labels": 1}, None, "regression"),
        ({"num_labels": 3}, torch.tensor([[0.0, 1.0, 1.0]]), "multi_label_classification"),
        ({"num_labels": 3}, torch.tensor([2]), None),
        ({"num_labels": 3}, None, None),
    ],
)
def test_what_outputs_mean_follows_from_the_config_and_the_labels(config, labels, expected):
    small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    config = transformers.BertConfig(vocab_size=8, **small, **config)
    assert problem_type_of(transformers.BertForSequenceClassification(config), labels) == expected
    assert problem_type_of(transformers.BertForTokenClassification(config), labels) is None
    assert problem_type_of(torch.nn.Linear(1, 1), labels) is None


def test_self_is_a_copy_of_the_model_as_it_starts(student):
    model = loaded(student)
    teacher = resolve_teacher("self", model, None, has_own_tokens=False)
    before = teacher.classifier.weight.detach().clone()
    with torch.no_grad():
        model.classifier.weight += 1
    assert torch.equal(teacher.classifier.weight, before) and type(teacher) is type(model)


def test_a_directory_is_loaded_with_the_head_of_the_student(student, tmp_path):
    torch.manual_seed(3)
    teacher = make_model(tmp_path / "teacher", labels=["0", "1"])
    module = resolved(teacher, student)
    assert torch.equal(module.classifier.weight, loaded(teacher).classifier.weight) and not module.training
    assert not torch.equal(module.classifier.weight, loaded(student).classifier.weight)


def test_a_teacher_may_be_of_another_architecture(student, tmp_path):
    config = transformers.DistilBertConfig(
        vocab_size=16, dim=8, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=16, num_labels=2
    )
    transformers.DistilBertForSequenceClassification(config).save_pretrained(tmp_path / "teacher")
    make_tokenizer(tmp_path / "teacher")
    assert type(resolved(tmp_path / "teacher", student)).__name__ == "DistilBertForSequenceClassification"


def test_a_teacher_with_pickled_weights_is_converted(student, tmp_path):
    teacher = make_model(tmp_path / "teacher", labels=["0", "1"])
    weights = loaded(teacher).state_dict()
    (teacher / "model.safetensors").unlink()
    torch.save(weights, teacher / "pytorch_model.bin")
    module = resolved(teacher, student)
    assert torch.equal(module.classifier.weight, weights["classifier.weight"])
    assert sorted(path.name for path in teacher.iterdir()) == sorted(
        {"config.json", "pytorch_model.bin", "tokenizer.json", "tokenizer_config.json"}
    )


def test_a_model_of_no_known_head_loads_its_own_class(tmp_path):
    encoder = make_model(tmp_path / "encoder")
    model = transformers.BertModel.from_pretrained(encoder)
    assert type(resolve_teacher(encoder, model, None, has_own_tokens=False)) is transformers.BertModel


def test_teachers_that_cannot_be_had(student, tmp_path):
    with pytest.raises(ModelError) as caught:
        resolved("./no_such_directory", student)
    assert caught.value.setting == "distill_teacher"
    with pytest.raises(ModelError) as caught:
        resolved("owner/name", student)
    assert caught.value.setting == "distill_teacher"
    encoder = make_model(tmp_path / "encoder")
    with pytest.raises(ModelError, match="distill_teacher: .*encoder has no trained head"):
        resolved(encoder, student)
    five = make_model(tmp_path / "five", labels=list("abcde"))
    with pytest.raises(ModelError, match=r"distill_teacher: .*five is for 5 labels \(a, b, c, d, e\), the data has 2"):
        resolved(five, student)


def test_a_directory_with_another_tokenizer_needs_rows_of_its_own(student, other):
    with pytest.raises(ModelError) as caught:
        resolved(other, student)
    assert caught.value.setting == "teacher"
    assert resolved(other, student, has_own_tokens=True).num_labels == 2


def test_the_steps_refuse_another_tokenizer_and_name_the_flag(student, other, dataset):
    with pytest.raises(ModelError) as caught:
        teacher_rows(TASK, loaded(student), student, other, dataset, 16, use_teacher_tokenizer=False)
    assert caught.value.setting == "teacher"


@pytest.mark.parametrize("name", ["TokenClassification", "QuestionAnswering", "MaskedLM"])
def test_outputs_of_tokens_cannot_come_from_other_tokens(name, student, other, dataset):
    model = getattr(transformers, f"BertFor{name}")(loaded(student).config)
    with pytest.raises(ModelError) as caught:
        teacher_rows(TASK, model, student, other, dataset, 16, use_teacher_tokenizer=True)
    assert caught.value.setting == "teacher"


@pytest.mark.parametrize("use_teacher_tokenizer", [True, False])
def test_the_same_tokenizer_needs_nothing(use_teacher_tokenizer, student, dataset):
    assert (
        teacher_rows(TASK, loaded(student), student, student, dataset, 16, use_teacher_tokenizer=use_teacher_tokenizer)
        == {}
    )


def train_with(teacher, directory, dataset, tmp_path, **arguments):
    """Trains with a cached teacher; gives the rows with its outputs."""
    tokenizer = load_tokenizer(directory)
    rows = TASK.load_split(dataset, "train", tokenizer, 16)
    trainer = Trainer(
        model=loaded(directory),
        recipe=RECIPE,
        teacher=teacher,
        args=TrainingArguments(str(tmp_path / "run"), use_cpu=True, disable_tqdm=True, save_strategy="no"),
        **{"train_dataset": rows, "data_collator": TASK.collator(tokenizer, training=True), **arguments},
    )
    trainer.train()
    return trainer.train_dataset


def outputs_of(teacher, dataset):
    """A teacher's logits for the training rows from its own tokens, one row after the other."""
    tokenizer = load_tokenizer(teacher)
    rows = TASK.load_split(dataset, "train", tokenizer, 16)
    model = loaded(teacher).eval()
    collator = TASK.collator(tokenizer)
    with torch.no_grad():
        batches = [{k: v for k, v in collator([row]).items() if k != "labels"} for row in rows]
        return [model(**batch).logits[0].tolist() for batch in batches]


def test_a_teacher_with_another_tokenizer_reads_its_own_tokens(student, other, dataset, tmp_path, caplog):
    model = TASK.load_model(student, read_schema(dataset))
    with caplog.at_level(logging.INFO, logger="sparse_core"):
        own = teacher_rows(TASK, model, student, other, dataset, 16, use_teacher_tokenizer=True)
    assert any("other reads the tokens of its own tokenizer" in message for message in caplog.messages)
    assert own["teacher_dataset"]["input_ids"][0] != TASK.load_split(dataset, "train", load_tokenizer(student), 16)[0]
    rows = train_with(loaded(other), student, dataset, tmp_path, **own)
    for ours, by_hand in zip(rows["teacher_logits"], outputs_of(other, dataset), strict=True):
        assert ours == pytest.approx(by_hand, abs=1e-5)


def test_the_columns_of_sparseml_s_tutorial_are_the_teacher_s_tokens(student, other, dataset, tmp_path):
    tokenizer, of_teacher = load_tokenizer(student), load_tokenizer(other)
    rows = TASK.load_split(dataset, "train", tokenizer, 16)
    tokens = TASK.load_split(dataset, "train", of_teacher, 16)
    for name in of_teacher.model_input_names:
        rows = rows.add_column(f"distill_teacher:{name}", tokens[name][:])
    found = train_with(
        loaded(other), student, dataset, tmp_path, train_dataset=rows, eval_dataset=rows.select(range(2))
    )
    assert "distill_teacher:input_ids" not in found.column_names
    for ours, by_hand in zip(found["teacher_logits"], outputs_of(other, dataset), strict=True):
        assert ours == pytest.approx(by_hand, abs=1e-5)


def test_a_data_set_without_such_columns_stays_as_it_is():
    rows = datasets.Dataset.from_dict({"input_ids": [[1]]})
    assert without_teacher_inputs(rows) == (rows, None)
    assert without_teacher_inputs(None) == (None, None)
    assert without_teacher_inputs([1, 2]) == ([1, 2], None)
    assert Teacher(torch.nn.Linear(1, 1)).dataset is None


@pytest.fixture
def without_segments(tmp_path):
    """A DistilBERT, whose tokenizer makes the same ids as a BERT's and no `token_type_ids`."""
    directory = tmp_path / "distilbert"
    make_tokenizer(directory)
    settings = json.loads((directory / "tokenizer_config.json").read_text())
    settings["model_input_names"] = ["input_ids", "attention_mask"]
    (directory / "tokenizer_config.json").write_text(json.dumps(settings))
    config = transformers.DistilBertConfig(
        vocab_size=16, dim=8, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=16, num_labels=2
    )
    transformers.DistilBertForSequenceClassification(config).save_pretrained(directory)
    return directory


@pytest.fixture
def pairs(tmp_path):
    return make_dataset(tmp_path / "pairs", pairs=["the film", "very bad", "a plot", "good", "bad plot"])


def with_visible_segments(directory):
    """Makes weights so large that no output is the same without the embedding of the second text."""
    model = loaded(directory)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(20)
    model.save_pretrained(directory)
    return directory


def test_a_teacher_of_pairs_reads_which_text_a_token_is_of(student, without_segments, pairs, tmp_path):
    teacher = with_visible_segments(student)
    own = teacher_rows(
        TASK, loaded(without_segments), without_segments, teacher, pairs, 16, use_teacher_tokenizer=False
    )
    rows = train_with(loaded(teacher), without_segments, pairs, tmp_path, **own)
    assert "token_type_ids" not in rows.column_names
    for ours, by_hand in zip(rows["teacher_logits"], outputs_of(teacher, pairs), strict=True):
        assert ours == pytest.approx(by_hand, abs=1e-5)


def test_a_teacher_gets_columns_that_the_student_does_not_take(student, without_segments, pairs, tmp_path):
    teacher = with_visible_segments(student)
    tokenizer = load_tokenizer(teacher)
    found = train_with(
        loaded(teacher),
        without_segments,
        pairs,
        tmp_path,
        train_dataset=TASK.load_split(pairs, "train", tokenizer, 16),
        data_collator=TASK.collator(tokenizer),
    )
    for ours, by_hand in zip(found["teacher_logits"], outputs_of(teacher, pairs), strict=True):
        assert ours == pytest.approx(by_hand, abs=1e-5)


def test_a_teacher_of_masked_tokens_needs_no_segments(without_segments, dataset, tmp_path):
    teacher = make_model(tmp_path / "masked", model_class=transformers.BertForMaskedLM)
    student = transformers.DistilBertForMaskedLM(loaded(without_segments).config)
    task = get_task("masked_language_modeling")
    assert teacher_rows(task, student, without_segments, teacher, dataset, 16, use_teacher_tokenizer=False) == {}


def test_a_teacher_that_reads_fewer_tokens_is_refused(student, dataset, tmp_path):
    short = make_model(tmp_path / "short", labels=["0", "1"])
    config = json.loads((short / "config.json").read_text())
    (short / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 8}))
    with pytest.raises(ModelError) as caught:
        teacher_rows(TASK, loaded(student), student, short, dataset, 16, use_teacher_tokenizer=False)
    assert caught.value.setting == "teacher"


def test_a_teacher_whose_outputs_mean_something_else_is_refused(student, tmp_path):
    teacher = make_model(tmp_path / "teacher", labels=["0", "1"])
    config = json.loads((teacher / "config.json").read_text())
    (teacher / "config.json").write_text(json.dumps({**config, "problem_type": "multi_label_classification"}))
    model = loaded(student)
    model.config.problem_type = "single_label_classification"
    with pytest.raises(ModelError, match="distill_teacher: .*teacher is for multi_label_classification, the data for"):
        resolve_teacher(teacher, model, None, has_own_tokens=False)
