"""Scores that come batch by batch equal those of the whole split, in whatever batches and order of the rows."""

from __future__ import annotations

import json
import math

import pytest
import torch
import transformers

from sparse_core.artifacts.model import Model
from sparse_core.errors import ConfigError, ModelError
from sparse_core.recipe import load_recipe
from sparse_core.steps.train_teacher import train_teacher
from sparse_core.steps.training import run_training
from sparse_core.tasks import load_tokenizer, read_examples, read_schema, task_of
from sparse_core.tasks.inference import predict, rows_by_length, torch_forward
from sparse_core.training.assembly import evaluate_on, task_trainer
from sparse_core.training.streamed import StreamedMetrics
from tests.unit.tasks.conftest import WORDS, make_dataset, make_model

NUM_ROWS = 23  # no multiple of a batch size
TEXTS = [" ".join(WORDS[(row * 3 + word) % 7] for word in range(1 + row * 5 % 9)) for row in range(NUM_ROWS)]
LABELS = [row * 7 % 3 for row in range(NUM_ROWS)]
KIND = {"problem_type": "single_label_classification", "num_labels": 3}
RECIPE = "training_modifiers:\n- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 1.0}\n"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A data set of three classes, with a second validation split, and a trained model of them."""
    root = tmp_path_factory.mktemp("inputs")
    make_dataset(root / "dataset", TEXTS, LABELS, "abc", splits=["validation_mismatched"], **KIND)
    torch.manual_seed(1)
    make_model(root / "model", labels=list("abc"))
    return root


@pytest.fixture
def evaluate(inputs, tmp_path):
    """Evaluates the model with the Trainer; gives the metrics, the scores of the whole split, and the Trainer."""

    def evaluate(**settings):
        schema = read_schema(inputs / "dataset")
        task, tokenizer = task_of(schema), load_tokenizer(inputs / "model")
        model = task.load_model(inputs / "model", schema, trained_head=True)
        rows = task.load_split(inputs / "dataset", "validation", tokenizer, 16)
        examples = read_examples(inputs / "dataset", "validation")
        arguments = transformers.TrainingArguments(
            str(tmp_path / "out"), use_cpu=True, disable_tqdm=True, report_to="none", **settings
        )
        trainer = task_trainer(task, model, tokenizer, arguments, train=None, evaluation=rows, examples=examples)
        whole = task.score(predict(torch_forward(model, task), task, rows, task.collator(tokenizer), 4), rows, examples)
        return trainer.evaluate(), whole, trainer

    return evaluate


@pytest.mark.parametrize("batch_size", [1, 4, NUM_ROWS, 64])
def test_streamed_scores_are_those_of_the_whole(evaluate, batch_size):
    metrics, whole, _ = evaluate(per_device_eval_batch_size=batch_size)
    assert 0 < whole["accuracy"] < 1
    assert {name: metrics[f"eval_{name}"] for name in whole} == whole
    assert math.isfinite(metrics["eval_loss"])


def test_outputs_behind_those_of_the_task_are_left_alone(evaluate):
    metrics, whole, trainer = evaluate(per_device_eval_batch_size=4)
    trainer.model.config.output_hidden_states = True
    assert trainer.evaluate()["eval_accuracy"] == metrics["eval_accuracy"] == whole["accuracy"]


def test_the_second_evaluation_starts_anew(evaluate):
    metrics, _, trainer = evaluate(per_device_eval_batch_size=4)
    assert trainer.evaluate()["eval_accuracy"] == metrics["eval_accuracy"]


def test_an_evaluation_that_was_broken_off_leaves_nothing_behind(evaluate, monkeypatch):
    metrics, _, trainer = evaluate(per_device_eval_batch_size=4)
    prediction_step, steps = type(trainer).prediction_step, []

    def out_of_memory(self, *args, **kwargs):
        steps.append(0)
        if len(steps) == 2:
            raise MemoryError
        return prediction_step(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(type(trainer), "prediction_step", out_of_memory)
        with pytest.raises(MemoryError):
            trainer.evaluate()
    assert trainer.evaluate()["eval_accuracy"] == metrics["eval_accuracy"]


def test_rows_that_the_loader_drops_are_not_scored(evaluate, inputs):
    metrics, _, trainer = evaluate(per_device_eval_batch_size=10, dataloader_drop_last=True)
    rows = trainer.eval_dataset
    seen = rows.select(rows_by_length(rows)[:20])
    task = task_of(read_schema(inputs / "dataset"))
    predictions = predict(torch_forward(trainer.model, task), task, seen, task.collator(trainer.processing_class), 4)
    assert metrics["eval_accuracy"] == task.score(predictions, seen, seen)["accuracy"]


def test_no_more_logits_are_kept_than_a_batch_has(inputs, evaluate, monkeypatch):
    kept = []
    take = StreamedMetrics.__call__

    def watched(self, batch, compute_result):
        kept.append(len(batch.predictions))
        return take(self, batch, compute_result)

    monkeypatch.setattr(StreamedMetrics, "__call__", watched)
    evaluate(per_device_eval_batch_size=4)
    assert kept == [4] * 5 + [3]


def test_predict_gives_the_rows_in_their_order(evaluate, inputs):
    _, _, trainer = evaluate(per_device_eval_batch_size=4)
    trainer.compute_metrics = None
    logits = trainer.predict(trainer.eval_dataset).predictions
    task = task_of(read_schema(inputs / "dataset"))
    expected = predict(
        torch_forward(trainer.model, task), task, trainer.eval_dataset, task.collator(trainer.processing_class), 4
    )
    assert logits.argmax(-1).tolist() == expected


def test_another_split_has_a_name_of_its_own(evaluate, inputs):
    metrics, _, trainer = evaluate(per_device_eval_batch_size=4)
    task = task_of(read_schema(inputs / "dataset"))
    half = trainer.eval_dataset.select(range(10))
    other = evaluate_on(trainer, task, "other", half, half)
    predictions = predict(torch_forward(trainer.model, task), task, half, task.collator(trainer.processing_class), 4)
    assert other["eval_other_accuracy"] == task.score(predictions, half, half)["accuracy"] != metrics["eval_accuracy"]


@pytest.fixture
def run(inputs, tmp_path):
    """Trains for an epoch; settings are those of the step."""

    def run(model="model", recipe=RECIPE, **settings):
        values = {"max_seq_length": 16, "per_device_train_batch_size": 8, "per_device_eval_batch_size": 4, **settings}
        settings = train_teacher.read_settings(values)
        paths = {"model": inputs / model, "dataset": inputs / "dataset", "output": tmp_path / "out"}
        return run_training("test", recipe=load_recipe(recipe), settings=settings, **paths)

    return run


def test_a_run_scores_both_validation_splits(run, tmp_path):
    metrics = run()
    assert metrics["eval_accuracy"] == metrics["eval_accuracy_mm"]  # the splits have the same rows
    assert metrics["eval_loss"] == pytest.approx(metrics["eval_loss_mm"])
    assert Model(tmp_path / "out").metrics() == metrics
    log = Model(tmp_path / "out").log_history()
    assert [entry["epoch"] for entry in log if "eval_loss" in entry] == [1.0]


def test_a_model_that_diverged_is_not_published(inputs, run, tmp_path):
    model = transformers.AutoModelForSequenceClassification.from_pretrained(inputs / "model")
    with torch.no_grad():
        model.classifier.bias.fill_(float("nan"))
    model.save_pretrained(inputs / "broken")
    load_tokenizer(inputs / "model").save_pretrained(inputs / "broken")
    with pytest.raises(ModelError) as caught:
        run("broken")
    assert caught.value.setting == "model"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["batch_eval_metrics", "label_names", "num_train_epochs"])
def test_arguments_that_are_not_the_users_to_decide(run, name):
    with pytest.raises(ConfigError) as caught:
        run(training_arguments=json.dumps({name: 1}))
    assert caught.value.setting == f"training_arguments.{name}"


def test_the_metrics_are_those_of_the_model_that_is_kept(run, tmp_path):
    settings = {"load_best_model_at_end": True, "eval_strategy": "steps", "save_strategy": "steps", "eval_steps": 1}
    settings |= {"save_steps": 1, "learning_rate": 0.5, "metric_for_best_model": "loss", "greater_is_better": False}
    metrics = run(training_arguments=json.dumps(settings))
    log = Model(tmp_path / "out").log_history()
    losses = [entry["eval_loss"] for entry in log if "eval_loss" in entry]
    assert len(losses) >= 3 and metrics["eval_loss"] == pytest.approx(min(losses[:3])) and min(losses[:3]) < losses[2]


@pytest.mark.parametrize(
    "modifier",
    [
        "QuantizationModifier {start_epoch: 0.5}",
        "GMPruningModifier {start_epoch: 0, end_epoch: 1, init_sparsity: 0, final_sparsity: 0.5, params: __ALL__}",
    ],
)
def test_the_best_model_is_not_one_from_before_the_recipe_has_done_its_work(run, modifier):
    with pytest.raises(ConfigError) as caught:
        run(recipe=f"{RECIPE}- !{modifier}\n", training_arguments='{"load_best_model_at_end": true}')
    assert caught.value.setting == "training_arguments.load_best_model_at_end"
