"""The Trainer: what a recipe changes, and what it must not change."""

import inspect
import json
import logging
import os
from types import SimpleNamespace

import pytest
import torch
import transformers
import yaml

from sparse_core.errors import ConfigError, ModelError
from sparse_core.modifiers.pruning.parameters import prunable_parameters
from sparse_core.recipe import load_recipe
from sparse_core.training import Trainer, TrainingArguments
from tests.refusals import refused
from tests.unit.training.conftest import collate, make_model, make_rows

EPOCHS = "training_modifiers:\n- !EpochRangeModifier\n  start_epoch: 0.0\n  end_epoch: {}\n"
LINEAR = (
    EPOCHS + "- !LearningRateFunctionModifier\n  lr_func: linear\n  init_lr: 1.5e-4\n  final_lr: 0.0\n"
    "  start_epoch: 0.0\n  end_epoch: {}\n"
)
CONSTANT = EPOCHS.format(1) + "- !ConstantPruningModifier\n  start_epoch: 0.0\n  params: __ALL_PRUNABLE__\n"
DISTILLED = EPOCHS + "- !DistillationModifier\n  hardness: {}\n  temperature: 2.0\n"


def weights(trainer):
    """All parameters in one vector."""
    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])


class EveryStep(transformers.TrainerCallback):
    """Keeps what a function sees after every optimizer step."""

    def __init__(self, look):
        self.look, self.seen = look, []

    def on_step_end(self, args, state, control, model=None, **kwargs):
        self.seen.append(self.look(model))


def test_a_recipe_of_epochs_alone_equals_the_plain_trainer(make_trainer):
    settings = {"num_train_epochs": 2, "train_sampling_strategy": "random"}
    plain = make_trainer("plain", trainer_class=transformers.Trainer, **settings)
    plain.train()
    ours = make_trainer("ours", recipe=EPOCHS.format(2), train_sampling_strategy="random")
    ours.train()
    losses = [[entry["loss"] for entry in t.state.log_history if "loss" in entry] for t in (plain, ours)]
    assert len(losses[0]) == 8
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert torch.allclose(weights(plain), weights(ours), atol=1e-7)


def test_the_logged_learning_rate_is_the_one_in_force(make_trainer):
    in_force = []
    trainer = make_trainer(recipe=LINEAR.format(1, 1))
    trainer.create_optimizer()
    trainer.optimizer.register_step_pre_hook(
        lambda optimizer, *_: in_force.append([group["lr"] for group in optimizer.param_groups])
    )
    trainer.train()
    expected = [1.5e-4, 1.125e-4, 7.5e-5, 3.75e-5]
    assert [e["learning_rate"] for e in trainer.state.log_history if "loss" in e] == pytest.approx(expected)
    assert in_force == [pytest.approx([rate, rate]) for rate in expected]


def test_one_batch_of_32_equals_four_of_8(make_trainer):
    results = []
    for batch_size, accumulation in ((32, 1), (8, 4)):
        trainer = make_trainer(
            f"{batch_size}",
            model=make_model(dropout=0.0),
            recipe=EPOCHS.format(2),
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=accumulation,
            optim="sgd",
        )
        trainer.train()
        results.append((weights(trainer), [e["grad_norm"] for e in trainer.state.log_history if "grad_norm" in e]))
    assert results[0][1] == pytest.approx(results[1][1], rel=1e-4)
    assert torch.allclose(results[0][0], results[1][0], atol=1e-6)


def test_an_uneven_last_batch_weighs_each_row_alike(make_trainer):
    rows = make_rows(12)
    results = []
    for batch_size, accumulation in ((12, 1), (8, 2)):
        trainer = make_trainer(
            f"{batch_size}",
            model=make_model(dropout=0.0),
            rows=rows,
            recipe=EPOCHS.format(1),
            per_device_train_batch_size=batch_size,
            gradient_accumulation_steps=accumulation,
            optim="sgd",
        )
        trainer.train()
        results.append(weights(trainer))
    assert torch.allclose(results[0], results[1], atol=1e-6)


@pytest.mark.parametrize("precision", [{}, {"bf16": True}])
def test_pruned_weights_are_exactly_zero_after_every_step(make_trainer, precision):
    model = make_model()
    pruned = {n: p for n, p in prunable_parameters(model).items() if ".layer." in n}
    masks = {}
    with torch.no_grad():
        for name, parameter in pruned.items():
            masks[name] = torch.rand_like(parameter) > 0.8
            parameter.mul_(masks[name])
    unchanged = EveryStep(lambda m: all(torch.equal(p != 0, masks[n]) for n, p in pruned.items()))
    recipe = EPOCHS.format(2) + (
        "- !ConstantPruningModifier\n  start_epoch: 0.0\n  params: ['re:.*layer.*(query|key|value|dense).weight']\n"
    )
    make_trainer(model=model, recipe=recipe, callbacks=[unchanged], **precision).train()
    assert unchanged.seen == [True] * 8


def test_gradual_pruning_reaches_its_sparsity(make_trainer):
    recipe = EPOCHS.format(2) + (
        "- !MagnitudePruningModifier\n  init_sparsity: 0.0\n  final_sparsity: 0.75\n  start_epoch: 0.0\n"
        "  end_epoch: 1.0\n  update_frequency: 0.25\n  params: __ALL_PRUNABLE__\n"
    )
    model = make_model()
    zeros = EveryStep(lambda m: sum(int((p == 0).sum()) for p in prunable_parameters(m).values()))
    make_trainer(model=model, recipe=recipe, callbacks=[zeros]).train()
    total = sum(p.numel() for p in prunable_parameters(model).values())
    assert zeros.seen == sorted(zeros.seen)
    assert zeros.seen[-1] == sum(round(0.75 * p.numel()) for p in prunable_parameters(model).values())
    assert zeros.seen[4] / total == pytest.approx(0.75, abs=0.01)


class CountingTeacher(torch.nn.Module):
    """A teacher that counts its forward passes."""

    def __init__(self):
        super().__init__()
        self.model = make_model(seed=7)
        self.num_forwards = 0

    def forward(self, **inputs):
        self.num_forwards += 1
        return self.model(**inputs)


def test_the_teacher_runs_over_the_data_once_and_never_again(make_trainer):
    teacher = CountingTeacher()
    make_trainer("first", recipe=DISTILLED.format(3, 1.0), distill_teacher=teacher).train()
    assert teacher.num_forwards == 4
    make_trainer("second", recipe=DISTILLED.format(3, 1.0), distill_teacher=teacher).train()
    assert teacher.num_forwards == 4


def test_hardness_one_ignores_the_labels(make_trainer):
    flipped = make_rows().map(lambda row: {"labels": 1 - row["labels"]})
    results = []
    for folder, rows in (("a", make_rows()), ("b", flipped)):
        trainer = make_trainer(folder, rows=rows, recipe=DISTILLED.format(1, 1.0), distill_teacher=make_model(seed=7))
        trainer.train()
        results.append(weights(trainer))
    assert torch.equal(*results)


def test_the_first_distilled_loss_by_hand(make_trainer):
    model, teacher, rows = make_model(dropout=0.0), make_model(seed=7).eval(), make_rows(8)
    batch = {k: torch.tensor([v + [0] * (11 - len(v)) for v in rows[k]]) for k in ("input_ids", "attention_mask")}
    with torch.no_grad():
        student_log, teacher_log = (torch.log_softmax(m(**batch).logits / 2.0, dim=-1) for m in (model.eval(), teacher))
        task = torch.nn.functional.cross_entropy(model(**batch).logits, torch.tensor(rows["labels"]))
    divergence = (teacher_log.exp() * (teacher_log - student_log)).sum(-1).mean()
    expected = 0.25 * task + 0.75 * 4.0 * divergence
    trainer = make_trainer(model=model, rows=rows, recipe=DISTILLED.format(1, 0.75), distill_teacher=teacher)
    trainer.train()
    assert trainer.state.log_history[0]["loss"] == pytest.approx(float(expected), rel=1e-4)


def test_eval_loss_is_the_task_loss_during_and_after_training(make_trainer):
    trainer = make_trainer(recipe=DISTILLED.format(1, 1.0), distill_teacher=make_model(seed=7), eval_strategy="epoch")
    trainer.train()
    during = next(e["eval_loss"] for e in trainer.state.log_history if "eval_loss" in e)
    plain = make_trainer("plain", model=trainer.model, trainer_class=transformers.Trainer)
    assert during == pytest.approx(plain.evaluate()["eval_loss"], rel=1e-6)


def test_disable_trains_without_a_teacher_and_says_so_once(make_trainer, caplog):
    with caplog.at_level(logging.WARNING, logger="sparse_core"):
        make_trainer(recipe=DISTILLED.format(2, 1.0), distill_teacher="disable").train()
    assert [r.message for r in caplog.records if "distill_teacher: disable" in r.message] == [
        "distill_teacher: disable; DistillationModifier has no effect"
    ]


def test_a_distillation_recipe_without_a_teacher_is_refused(make_trainer):
    with pytest.raises(ModelError) as caught:
        make_trainer(recipe=DISTILLED.format(1, 1.0))
    assert caught.value.setting == "distill_teacher"


def test_a_teacher_with_other_labels_is_refused(make_trainer):
    trainer = make_trainer(recipe=DISTILLED.format(1, 1.0), distill_teacher=make_model(num_labels=3))
    with pytest.raises(ModelError) as caught:
        trainer.train()
    assert caught.value.setting == "distill_teacher"


def test_an_output_key_that_the_teacher_lacks_is_refused(make_trainer):
    recipe = DISTILLED.format(1, 1.0) + "  distill_output_keys: [start_logits]\n"
    trainer = make_trainer(recipe=recipe, distill_teacher=make_model(seed=7))
    with refused(ModelError, "distill_teacher"):
        trainer.train()


def test_weight_decay_applies_to_the_decaying_group_only_and_in_its_epochs(make_trainer):
    recipe = EPOCHS.format(2) + "- !SetWeightDecayModifier\n  weight_decay: 0.1\n  start_epoch: 1.0\n"
    trainer = make_trainer(recipe=recipe)
    trainer.create_optimizer()
    seen = []
    trainer.optimizer.register_step_pre_hook(
        lambda optimizer, *_: seen.append([group["weight_decay"] for group in optimizer.param_groups])
    )
    trainer.train()
    assert seen == [[0.0, 0.0]] * 4 + [[0.1, 0.0]] * 4


def test_at_least_two_checkpoints_are_kept(make_trainer):
    assert make_trainer(recipe=EPOCHS.format(1), save_total_limit=1).args.save_total_limit == 2


def sparseml_arguments(tmp_path, **further):
    """The arguments of SparseML's tutorials."""
    args = TrainingArguments(
        output_dir=str(tmp_path / "training_output"),
        do_train=True,
        do_eval=True,
        resume_from_checkpoint=False,
        evaluation_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=1,
        per_device_train_batch_size=32,
        per_device_eval_batch_size=32,
        use_cpu=True,
        disable_tqdm=True,
    )
    given = {
        "model": make_model(),
        "model_state_path": "model/training",
        "recipe": DISTILLED.format(1, 0.5),
        "recipe_args": None,
        "teacher": make_model(seed=7),
        "metadata_args": ["per_device_train_batch_size", "per_device_eval_batch_size", "fp16"],
        "args": args,
        "train_dataset": make_rows(),
        "eval_dataset": make_rows(16, seed=1),
        "tokenizer": None,
        "data_collator": collate,
        "compute_metrics": lambda p: {"accuracy": float((p.predictions.argmax(1) == p.label_ids).mean())},
    }
    return {**given, **further}


def test_the_python_of_the_tutorials_runs(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="sparse_core"):
        trainer = Trainer(**sparseml_arguments(tmp_path))
        result = trainer.train(resume_from_checkpoint=False)
        trainer.save_model()
        trainer.save_state()
        trainer.save_optimizer_and_scheduler(trainer.args.output_dir)
    assert result.training_loss > 0 and trainer.state.num_train_epochs == 1
    assert "eval_accuracy" in trainer.state.log_history[1]
    output = tmp_path / "training_output"
    assert {"model.safetensors", "config.json", "recipe.yaml", "optimizer.pt", "scheduler.pt"} <= {
        path.name for path in output.iterdir()
    }
    assert any(m.startswith("model/training: 0.0% of the encoder's weights and ") for m in caplog.messages)
    assert json.loads((output / "trainer_state.json").read_text())["global_step"] == 1


def test_the_saved_recipe_is_the_recipe_with_the_settings_that_were_asked_for(tmp_path, caplog):
    names = ["per_device_train_batch_size", "fp16", "doc_stride", "max_seq_length", "no_such_argument"]
    given = {"metadata_args": names, "data_args": {"doc_stride": 64, "max_seq_length": None}}
    with caplog.at_level(logging.WARNING, logger="sparse_core"):
        trainer = Trainer(**sparseml_arguments(tmp_path, **given))
    assert "metadata_args: not recorded, because they are not set: max_seq_length, no_such_argument" in caplog.messages
    trainer.save_model(str(tmp_path / "saved"))
    assert load_recipe(tmp_path / "saved" / "recipe.yaml") == trainer.recipe
    lines = (tmp_path / "saved" / "recipe.yaml").read_text().splitlines()
    recorded = yaml.safe_load("\n".join(lines[lines.index("__metadata__:") :]))
    assert recorded == {"__metadata__": {"per_device_train_batch_size": 32, "fp16": False, "doc_stride": 64}}


def test_arguments_may_come_in_the_order_of_sparseml(tmp_path):
    given = sparseml_arguments(tmp_path)
    order = ("model", "model_state_path", "recipe", "recipe_args", "metadata_args")
    first = [given.pop(name) for name in order]
    teacher = given.pop("teacher")
    trainer = Trainer(*first, None, teacher, **given)
    assert trainer.model_state_path == "model/training"
    assert trainer.recipe == load_recipe(DISTILLED.format(1, 0.5))
    assert trainer._distiller._teacher.model is teacher


def test_data_arguments_may_be_an_object(tmp_path):
    class DataArguments:
        def __init__(self):
            self.max_seq_length = 384

    given = {"metadata_args": ["max_seq_length"], "data_args": DataArguments()}
    assert Trainer(**sparseml_arguments(tmp_path, **given))._metadata == {"max_seq_length": 384}


def test_training_arguments_may_come_second_as_in_transformers(tmp_path):
    given = sparseml_arguments(tmp_path)
    model, _, args = (given.pop(name) for name in ("model", "model_state_path", "args"))
    trainer = Trainer(model, args, **given)
    assert trainer.args.output_dir == args.output_dir and trainer.model_state_path is None
    with pytest.raises(ConfigError) as caught:
        Trainer(model, args, args=args)
    assert caught.value.setting == "args"


def test_two_names_of_one_argument_are_refused(tmp_path):
    given = sparseml_arguments(tmp_path)
    with pytest.raises(ConfigError) as caught:
        Trainer(**given, distill_teacher=make_model())
    assert caught.value.setting == "distill_teacher"
    with pytest.raises(ConfigError) as caught:
        Trainer(**{**given, "tokenizer": object(), "processing_class": object()})
    assert caught.value.setting == "tokenizer"


def test_a_teacher_that_no_recipe_asks_for_is_mentioned_and_not_used(make_trainer, caplog):
    with caplog.at_level(logging.INFO, logger="sparse_core"):
        make_trainer(recipe=EPOCHS.format(1), distill_teacher=make_model(seed=7))
        make_trainer(recipe=EPOCHS.format(1), distill_teacher="disable")
    lines = [message for message in caplog.messages if message.startswith("distill_teacher")]
    assert lines == ["distill_teacher: not used, because nothing in the recipe learns from a teacher"]


def test_without_arguments_the_recipe_decides_the_epochs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trainer = Trainer(make_model(), recipe=EPOCHS.format(3), train_dataset=make_rows(), data_collator=collate)
    assert trainer.args.num_train_epochs == 3 and isinstance(trainer.args, TrainingArguments)


class Masking:
    """A collator that wants to know the epoch."""

    def __init__(self):
        self.epochs = []

    def set_epoch(self, epoch, seed):
        self.epochs.append((epoch, seed))

    def __call__(self, rows):
        return collate(rows)


def test_a_collator_that_masks_is_told_the_epoch(tmp_path):
    collator = Masking()
    Trainer(**sparseml_arguments(tmp_path, data_collator=collator, recipe=EPOCHS.format(2))).train()
    assert collator.epochs == [(0, 42), (1, 42)]


def test_a_checkpoint_of_another_model_is_refused(make_trainer):
    trainer = make_trainer()
    trainer.model.all_tied_weights_keys = {"tied": "table"}
    trainer._issue_warnings_after_load(SimpleNamespace(missing_keys=["tied"], unexpected_keys=[]))
    with pytest.raises(ModelError) as caught:
        trainer._issue_warnings_after_load(SimpleNamespace(missing_keys=["tied", "query.weight"], unexpected_keys=[]))
    assert caught.value.setting == "resume_from_checkpoint"
    with pytest.raises(ModelError) as caught:
        trainer._issue_warnings_after_load(SimpleNamespace(missing_keys=[], unexpected_keys=["scale", "zero_point"]))
    assert caught.value.setting == "resume_from_checkpoint"


def test_the_private_parts_of_transformers_that_we_override_are_still_there():
    names = {
        "_set_signature_columns_if_needed": ["self"],
        "_get_train_sampler": ["self", "train_dataset"],
        "_get_eval_sampler": ["self", "eval_dataset"],
        "_save": ["self", "output_dir", "state_dict"],
        "_determine_best_metric": ["self", "metrics", "trial"],
        "get_batch_samples": ["self", "epoch_iterator", "num_batches", "device"],
    }
    for name, parameters in names.items():
        assert list(inspect.signature(getattr(transformers.Trainer, name)).parameters) == parameters
        assert name in vars(Trainer)
    source = inspect.getsource(transformers.Trainer)
    assert "self._signature_columns = list(signature.parameters.keys())" in source
    assert "self.model_accepts_loss_kwargs and num_items_in_batch is not None" in source
    assert "self._created_lr_scheduler" in source


@pytest.mark.parametrize(("recipe", "warns"), [(None, True), ("dense/base", True), (CONSTANT, False)])
def test_zeros_that_nothing_holds_are_named(make_trainer, caplog, recipe, warns):
    model = make_model()
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            layer.output.dense.weight.zero_()
            layer.intermediate.dense.weight.zero_()
    make_trainer(model=model, recipe=recipe, max_steps=1).train()
    message = "of the encoder's weights are zero, and nothing keeps them so"
    assert (message in caplog.text) == warns
    assert f"recipe: 50% {message}" in caplog.text or not warns


def test_what_is_saved_holds_neither_arguments_nor_token(make_trainer, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("HF_TOKEN", "before")
    with caplog.at_level(logging.INFO, logger="sparse_core"):
        trainer = make_trainer(hub_token="hf_secret", save_strategy="epoch", num_train_epochs=1)
    assert "hub_token: moved to the environment variable HF_TOKEN, so that no file holds it" in caplog.messages
    assert os.environ["HF_TOKEN"] == "hf_secret" and trainer.args.hub_token is None
    trainer.train()
    trainer.save_model(str(tmp_path / "saved"))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"checkpoint-4", "saved"} <= {path.parent.name for path in files}
    assert "training_args.bin" not in {path.name for path in files}
    assert [path for path in files if b"hf_secret" in path.read_bytes()] == []


@pytest.mark.parametrize("remove_unused_columns", [True, False])
def test_streamed_data_trains_as_in_transformers(make_trainer, remove_unused_columns):
    settings = {"max_steps": 3, "remove_unused_columns": remove_unused_columns}
    results = []
    for trainer_class in (transformers.Trainer, Trainer):
        rows = make_rows().to_iterable_dataset()
        trainer = make_trainer(trainer_class.__module__, rows=rows, trainer_class=trainer_class, **settings)
        trainer.train()
        assert trainer.state.global_step == 3
        results.append(weights(trainer))
    assert torch.allclose(*results, atol=1e-7)


def test_a_recipe_needs_data_with_a_length(make_trainer):
    with pytest.raises(ConfigError) as caught:
        make_trainer(rows=make_rows().to_iterable_dataset(), recipe=EPOCHS.format(1), max_steps=3)
    assert caught.value.setting == "train_dataset"
