"""The first distilled loss of every kind of head, against the formula; cached and live teachers."""

from __future__ import annotations

import datasets
import pytest
import torch
import transformers

from sparse_core.errors import ModelError
from sparse_core.modifiers.distillation.teacher import TeacherOutputCollator
from sparse_core.training import Trainer, TrainingArguments
from tests.refusals import refused
from tests.unit.tasks.conftest import make_tokenizer

HARDNESS, TEMPERATURE = 0.75, 2.0
RECIPE = f"""
training_modifiers:
- !EpochRangeModifier {{start_epoch: 0.0, end_epoch: 2.0}}
- !DistillationModifier {{hardness: {HARDNESS}, temperature: {TEMPERATURE}}}
"""
MASK_ID, PAD_ID = 4, 0


def make(kind, seed=0, num_labels=3, **config):
    """A BERT of one layer with a head of that kind, without dropout."""
    torch.manual_seed(seed)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    no_dropout = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "initializer_range": 0.5}
    model_class = getattr(transformers, f"BertFor{kind}")
    values = {
        "vocab_size": 24,
        "max_position_embeddings": 16,
        "num_labels": num_labels,
        **sizes,
        **no_dropout,
        **config,
    }
    return model_class(transformers.BertConfig(**values))


def make_ids(num_rows=6):
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(5, 24, (3 + row % 4,), generator=generator).tolist() for row in range(num_rows)]


def make_rows(labels):
    """Rows of 3 to 6 tokens; `labels` gives the label columns of a row from its ids."""
    rows = [{"input_ids": ids, "attention_mask": [1] * len(ids), **labels(ids)} for ids in make_ids()]
    return datasets.Dataset.from_list(rows)


def pad(rows):
    """Pads ids with 0 and labels of tokens with -100."""
    longest = max(len(row["input_ids"]) for row in rows)
    batch = {}
    for name in rows[0]:
        filler = -100 if name == "labels" else PAD_ID
        values = [row[name] for row in rows]
        if isinstance(values[0], list) and (name != "labels" or isinstance(values[0][0], int)):
            values = [value + [filler] * (longest - len(value)) for value in values]
        batch[name] = torch.tensor(values)
    return batch


def mask(rows):
    """Masks another token of each row at every call."""
    batch = pad(rows)
    batch["labels"] = torch.full_like(batch["input_ids"], -100)
    for number, row in enumerate(rows):
        position = int(torch.randint(len(row["input_ids"]), ()))
        batch["labels"][number, position] = batch["input_ids"][number, position]
        batch["input_ids"][number, position] = MASK_ID
    return batch


KINDS = {
    "SequenceClassification": (lambda ids: {"labels": ids[0] % 3}, {}, pad),
    "TokenClassification": (lambda ids: {"labels": [-100, *(token % 3 for token in ids[1:])]}, {}, pad),
    "QuestionAnswering": (lambda ids: {"start_positions": 1, "end_positions": len(ids) - 1}, {"num_labels": 2}, pad),
    "MaskedLM": (lambda ids: {}, {}, mask),
    "several labels": (
        lambda ids: {"labels": [float(ids[0] % 2), float(ids[1] % 2), 1.0]},
        {"problem_type": "multi_label_classification"},
        pad,
    ),
    "a number": (lambda ids: {"labels": ids[0] / 10}, {"num_labels": 1, "problem_type": "regression"}, pad),
}


def make_of(kind, seed):
    name = kind if kind[0].isupper() else "SequenceClassification"
    return make(name, seed, **KINDS[kind][1])


def make_trainer(kind, tmp_path, model, **values):
    labels, _, collator = KINDS[kind]
    settings = {"per_device_train_batch_size": 6, "optim": "sgd", "logging_steps": 1, "save_strategy": "no"}
    settings |= values.pop("settings", {})
    args = TrainingArguments(
        str(tmp_path / "run"), disable_tqdm=True, use_cpu=True, train_sampling_strategy="sequential", **settings
    )
    given = {"train_dataset": make_rows(labels), "data_collator": collator, "recipe": RECIPE, **values}
    return Trainer(model=model, args=args, **given)


def log_softmax(logits):
    return torch.log_softmax(logits / TEMPERATURE, dim=-1)


def divergence_by_hand(kind, batch, student, teacher):
    """T^2 KL, entry by entry, as the page of documentation has it."""
    total, count = 0.0, 0
    if kind == "a number":
        return float(((student["logits"] - teacher["logits"]) ** 2).mean())
    for row in range(len(batch["input_ids"])):
        length = int(batch["attention_mask"][row].sum())
        if kind == "QuestionAnswering":
            pairs = [(student[key][row, :length], teacher[key][row, :length]) for key in ("start_logits", "end_logits")]
        elif kind == "several labels":
            pairs = [
                (torch.stack([s, s * 0]), torch.stack([t, t * 0]))
                for s, t in zip(student["logits"][row], teacher["logits"][row], strict=True)
            ]
        elif kind == "SequenceClassification":
            pairs = [(student["logits"][row], teacher["logits"][row])]
        else:
            labelled = [position for position in range(length) if batch["labels"][row, position] != -100]
            pairs = [(student["logits"][row, position], teacher["logits"][row, position]) for position in labelled]
        for of_student, of_teacher in pairs:
            s, t = log_softmax(of_student), log_softmax(of_teacher)
            total += float((t.exp() * (t - s)).sum())
            count += 1
    return TEMPERATURE**2 * total / count


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_loss_is_the_formula(kind, tmp_path):
    model, teacher = make_of(kind, 0), make_of(kind, 7).eval()
    trainer = make_trainer(kind, tmp_path, model, distill_teacher=teacher)
    torch.manual_seed(11)
    batch = KINDS[kind][2](list(trainer.train_dataset))
    with torch.no_grad():
        outputs = model.eval()(**batch)
        taught = teacher(**{name: value for name, value in batch.items() if name in ("input_ids", "attention_mask")})
    expected = (1 - HARDNESS) * float(outputs["loss"]) + HARDNESS * divergence_by_hand(kind, batch, outputs, taught)
    trainer.data_collator = lambda rows: torch.manual_seed(11) and KINDS[kind][2](rows)
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("kind", ["TokenClassification", "QuestionAnswering"])
def test_a_batch_may_be_cut_into_micro_batches(kind, tmp_path):
    results = []
    for size, accumulation in ((6, 1), (4, 2)):  # of 6 rows: the second micro-batch is half full
        model = make_of(kind, 0)
        settings = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulation}
        make_trainer(kind, tmp_path, model, distill_teacher=make_of(kind, 7), settings=settings).train()
        results.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
    assert torch.allclose(*results, atol=1e-6)
    assert not torch.allclose(results[0], torch.cat([p.detach().flatten() for p in make_of(kind, 0).parameters()]))


class Counting(torch.nn.Module):
    """Counts the forward passes of a teacher and remembers its inputs."""

    def __init__(self, model):
        super().__init__()
        self.model = model
        self.seen = []

    def forward(self, input_ids, attention_mask):
        self.seen.append(input_ids.clone())
        return self.model(input_ids=input_ids, attention_mask=attention_mask)


def test_a_teacher_of_masked_tokens_reads_what_the_student_reads_at_each_step(tmp_path):
    teacher = Counting(make("MaskedLM", 7))
    batches = []
    trainer = make_trainer("MaskedLM", tmp_path, make("MaskedLM"), teacher=teacher)
    collator = trainer.data_collator
    trainer.data_collator = lambda rows: batches.append(collator(rows)) or batches[-1]
    trainer.train()
    assert trainer.train_dataset.column_names == ["input_ids", "attention_mask"]
    assert len(teacher.seen) == 2  # two epochs of one step
    assert all(torch.equal(seen, batch["input_ids"]) for seen, batch in zip(teacher.seen, batches, strict=True))
    assert not torch.equal(*teacher.seen)


def test_several_modifiers_let_a_live_teacher_run_once_for_each_batch(tmp_path):
    teacher = Counting(make("MaskedLM", 7))
    recipe = RECIPE + "- !DistillationModifier {hardness: 0.5, temperature: 1.0}\n"
    make_trainer("MaskedLM", tmp_path, make("MaskedLM"), teacher=teacher, recipe=recipe).train()
    assert len(teacher.seen) == 2  # two epochs of one step


def test_a_teacher_of_tokens_is_gone_when_the_training_begins(tmp_path):
    teacher = Counting(make("TokenClassification", 7))
    make_trainer("TokenClassification", tmp_path, make("TokenClassification"), teacher=teacher).train()
    assert len(teacher.seen) == 1  # one batch for all rows, for two epochs


def test_data_without_columns_has_a_live_teacher(tmp_path):
    teacher = Counting(make("SequenceClassification", 7))
    rows = list(make_rows(KINDS["SequenceClassification"][0]))
    make_trainer(
        "SequenceClassification", tmp_path, make("SequenceClassification"), teacher=teacher, train_dataset=rows
    ).train()
    assert len(teacher.seen) == 2


def test_a_teacher_outside_its_epochs_does_nothing(tmp_path):
    recipe = RECIPE.replace("{hardness", "{end_epoch: 1.0, hardness")
    teacher = Counting(make("MaskedLM", 7))
    make_trainer("MaskedLM", tmp_path, make("MaskedLM"), teacher=teacher, recipe=recipe).train()
    assert len(teacher.seen) == 1


@pytest.mark.parametrize("num_labels_in_step", [0, 5])
def test_a_step_in_which_nothing_is_labelled_changes_nothing(num_labels_in_step, tmp_path):
    unlabelled = make_rows(lambda ids: {"labels": [-100] * len(ids)})
    model = make("TokenClassification")
    before = [parameter.detach().clone() for parameter in model.parameters()]
    trainer = make_trainer(
        "TokenClassification", tmp_path, model, teacher=make("TokenClassification", 7), train_dataset=unlabelled
    )
    trainer.train_dataset = trainer._distiller.prepare(unlabelled, unlabelled.column_names, pad, 6, torch.device("cpu"))
    batch = TeacherOutputCollator(pad)(list(trainer.train_dataset))
    loss = trainer.compute_loss(model.train(), batch, num_items_in_batch=torch.tensor(num_labels_in_step))
    loss.backward()
    assert loss.item() == 0.0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.parameters())
    assert all(torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True))


def test_own_rows_are_refused_where_tokens_change_from_epoch_to_epoch(tmp_path):
    with refused(ModelError, "teacher_dataset"):
        make_trainer(
            "MaskedLM", tmp_path, make("MaskedLM"), teacher=make("MaskedLM", 7), teacher_dataset=make_rows(lambda _: {})
        )


def test_an_output_that_the_student_lacks_is_refused(tmp_path):
    teacher = make_of("QuestionAnswering", 7)
    recipe = RECIPE.replace("{hardness", "{distill_output_keys: [start_logits], hardness")
    trainer = make_trainer(
        "SequenceClassification", tmp_path, make("SequenceClassification"), teacher=teacher, recipe=recipe
    )
    with refused(ModelError, "model"):
        trainer.train()


def test_hardness_one_leaves_the_evaluation_the_task_loss(tmp_path):
    recipe = RECIPE.replace(f"hardness: {HARDNESS}", "hardness: 1.0")
    rows = make_rows(KINDS["QuestionAnswering"][0])
    trainer = make_trainer(
        "QuestionAnswering",
        tmp_path,
        make_of("QuestionAnswering", 0),
        teacher=make_of("QuestionAnswering", 7),
        recipe=recipe,
        eval_dataset=rows,
    )
    trainer.train()
    with torch.no_grad():
        loss = trainer.model.eval()(**pad(list(rows)))["loss"]
    assert trainer.evaluate()["eval_loss"] == pytest.approx(float(loss), rel=1e-5)


@pytest.mark.parametrize("kind", ["TokenClassification", "QuestionAnswering"])
def test_transformers_own_collators_know_nothing_of_the_teacher(kind, tmp_path):
    make_tokenizer(tmp_path, words=[f"w{number}" for number in range(19)])
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    collators = {
        "TokenClassification": transformers.DataCollatorForTokenClassification,
        "QuestionAnswering": transformers.DataCollatorWithPadding,
    }
    trainer = make_trainer(
        kind, tmp_path, make_of(kind, 0), teacher=make_of(kind, 7), data_collator=collators[kind](tokenizer)
    )
    ours = make_trainer(kind, tmp_path, make_of(kind, 0), teacher=make_of(kind, 7))
    trainer.train()
    ours.train()
    losses = [[entry["loss"] for entry in t.state.log_history if "loss" in entry] for t in (trainer, ours)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5) and len(losses[0]) == 2


def test_an_evaluation_survives_a_batch_in_which_nothing_is_labelled(tmp_path):
    rows = make_rows(lambda ids: {"labels": [-100] * len(ids)})
    trainer = make_trainer("TokenClassification", tmp_path, make("TokenClassification"), recipe=None, eval_dataset=rows)
    assert trainer.evaluate()["eval_loss"] == 0.0


@pytest.mark.parametrize("accumulation", [1, 2])
def test_minus_a_hundred_is_a_number_like_others_in_a_regression(accumulation, tmp_path):
    numbers = iter([-100.0, -100.0, -100.0, 3.0, 5.0, 7.0])
    rows = make_rows(lambda ids: {"labels": next(numbers)})
    settings = {"per_device_train_batch_size": 6 // accumulation, "gradient_accumulation_steps": accumulation}
    model = make_of("a number", 0)
    batch = pad(list(rows))
    expected = model(**batch).loss.item()
    make = make_trainer("a number", tmp_path, model, recipe=None, train_dataset=rows, settings=settings)
    make.args.num_train_epochs = 1
    make.train()
    assert make.state.log_history[0]["loss"] == pytest.approx(expected, rel=1e-4)
