from __future__ import annotations

import json

import datasets
import pytest
import torch
import transformers
from safetensors.torch import load_file

from sparse_core.errors import ConfigError, DataError, ModelError, OutputError, RecipeError
from sparse_core.store import locked
from sparse_core.training.trainer import Trainer


def weights(directory):
    return load_file(directory / "model.safetensors")


def same(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_what_a_command_leaves_behind(run, tmp_path, capsys):
    metrics = run()
    out = tmp_path / "out"
    assert {
        "config.json", "model.safetensors", "tokenizer.json", "recipe.yaml", "manifest.json", "trainer_state.json",
    } <= {path.name for path in out.iterdir()}  # fmt: skip
    assert not list(out.glob(".*partial*"))
    results = json.loads((out / "all_results.json").read_text())
    assert results == pytest.approx(metrics)
    assert results.items() >= json.loads((out / "train_results.json").read_text()).items()
    evaluated = json.loads((out / "eval_results.json").read_text())
    assert evaluated["eval_samples"] == 8 and evaluated["epoch"] == 2.0 and 0 <= evaluated["eval_accuracy"] <= 1
    assert metrics["train_samples"] == 16
    text = capsys.readouterr().out
    assert "***** train metrics *****" in text and "  eval_accuracy " in text
    transformers.AutoModelForSequenceClassification.from_pretrained(out, local_files_only=True)


def test_the_last_evaluation_of_the_training_is_not_made_twice(run, monkeypatch):
    evaluations = []
    evaluate = Trainer.evaluate

    def counted(self, *args, **kwargs):
        evaluations.append(self.state.global_step)
        return evaluate(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "evaluate", counted)
    run(eval_strategy="epoch")
    assert evaluations == [2, 4]


def test_evaluation_alone_gives_the_scores_of_the_training(run, tmp_path):
    trained = run()
    alone = run(do_train=None, recipe=None, model_name_or_path=tmp_path / "out", output_dir=tmp_path / "eval")
    assert alone["eval_loss"] == pytest.approx(trained["eval_loss"], abs=1e-5)
    assert alone["eval_accuracy"] == trained["eval_accuracy"]
    assert not (tmp_path / "eval" / "model.safetensors").exists()


def test_evaluation_of_a_model_without_a_trained_head(run, model):
    with pytest.raises(ModelError) as caught:
        run(do_train=None, recipe=None)
    assert caught.value.setting == "--model_name_or_path"


def test_a_quantized_model_is_trained_evaluated_and_padded(run, quantized_recipe, tmp_path):
    trained = run(recipe=quantized_recipe, pad_to_max_length=True)
    assert "quantization_config" in json.loads((tmp_path / "out" / "config.json").read_text())
    alone = run(do_train=None, recipe=None, model_name_or_path=tmp_path / "out", output_dir=tmp_path / "eval")
    assert alone["eval_loss"] == pytest.approx(trained["eval_loss"], abs=1e-4)


def test_padding_every_batch_changes_no_score(run, tmp_path):
    short = run()
    padded = run(pad_to_max_length=True, output_dir=tmp_path / "padded")
    assert padded["eval_loss"] == pytest.approx(short["eval_loss"], abs=1e-4)


class Killed(Exception):
    pass


def kill_at(monkeypatch, step):
    """Lets the next training end in the middle of a step."""
    training_step = Trainer.training_step

    def dying(self, *args, **kwargs):
        if self.state.global_step == step:
            raise Killed
        return training_step(self, *args, **kwargs)

    monkeypatch.setattr(Trainer, "training_step", dying)


@pytest.mark.parametrize("recipe", ["plain", "none"])
def test_a_killed_run_goes_on_from_its_last_checkpoint(run, tmp_path, monkeypatch, caplog, recipe):
    caplog.set_level("INFO", "sparse_core")
    flags = {"recipe": None, "num_train_epochs": 2} if recipe == "none" else {}
    run(**flags, output_dir=tmp_path / "whole")
    with monkeypatch.context() as patch:
        kill_at(patch, 3)
        with pytest.raises(Killed):
            run(**flags)
    out = tmp_path / "out"
    assert [path.name for path in out.glob("checkpoint-*")] == ["checkpoint-2"]
    assert not (out / "config.json").exists()
    caplog.clear()
    run(**flags)
    assert f"an earlier run continues from {out / 'checkpoint-2'}" in caplog.text
    assert same(weights(out), weights(tmp_path / "whole"))


def test_a_finished_run_is_not_trained_again(run, tmp_path, monkeypatch):
    first = run()
    before = weights(tmp_path / "out")
    with monkeypatch.context() as patch:
        kill_at(patch, 0)
        second = run()
    assert second["eval_loss"] == pytest.approx(first["eval_loss"], abs=1e-5)
    assert same(weights(tmp_path / "out"), before)
    kept = json.loads((tmp_path / "out" / "train_results.json").read_text())
    assert kept["train_loss"] == first["train_loss"] > 0


def test_overwrite_output_dir_starts_anew(run, tmp_path, caplog):
    run(seed=1)
    caplog.set_level("INFO", "sparse_core")
    run(seed=2, overwrite_output_dir=True)
    assert "an earlier run continues from" not in caplog.text
    run(seed=2, output_dir=tmp_path / "other")
    assert same(weights(tmp_path / "out"), weights(tmp_path / "other"))


def test_a_mistake_is_corrected_in_the_same_output_dir(run, distilling_recipe):
    with pytest.raises(ModelError) as caught:
        run(recipe=distilling_recipe)
    assert caught.value.setting == "--distill_teacher"
    run(recipe=distilling_recipe, distill_teacher="disable")


def test_a_run_with_other_settings_is_refused(run, tmp_path):
    run()
    with pytest.raises(OutputError) as caught:
        run(max_train_samples=4)
    assert caught.value.setting == "--output_dir"


def test_what_no_command_has_written_is_left_alone(run, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError) as caught:
        run()
    assert caught.value.setting == "--output_dir"
    assert [path.name for path in (tmp_path / "out").iterdir() if path.name != ".lock"] == ["thesis.txt"]


def test_an_output_dir_in_use_is_refused(run, tmp_path):
    with (
        locked(tmp_path / "out"),
        pytest.raises(OutputError) as caught,
    ):
        run()
    assert caught.value.setting == "--output_dir"


@pytest.mark.parametrize(
    ("flags", "error", "setting"),
    [
        ({"do_train": None, "do_eval": None}, ConfigError, "--do_train"),
        ({"one_shot": True}, ConfigError, "--one_shot"),
        ({"recipe": None, "recipe_args": "{}"}, ConfigError, "--recipe_args"),
        ({"recipe": "dense/bas"}, RecipeError, "--recipe"),
        ({"recipe_args": '{"epochs": 1}'}, RecipeError, "--recipe_args"),
        ({"model_name_or_path": "./none"}, ModelError, "--model_name_or_path"),
        ({"model_revision": "v2"}, ModelError, "--model_revision"),
        ({"model_name_or_path": None}, ConfigError, "--model_name_or_path"),
        ({"train_file": "./none.csv"}, DataError, "--train_file"),
        ({"train_file": None, "validation_file": None}, ConfigError, "--dataset_name"),
        ({"validation_file": None}, DataError, "--validation_file"),
        ({"input_column_names": "texts"}, DataError, "--input_column_names"),
        ({"label_column_name": "labels"}, DataError, "--label_column_name"),
        ({"max_seq_length": 2}, ConfigError, "--max_seq_length"),
        ({"task_name": "sst3"}, DataError, "--task_name"),
        ({"task_args": "["}, ConfigError, "--task_args"),
        ({"task_args": "[]"}, ConfigError, "--task_args"),
        ({"task_args": '{"treshold": 0.5}'}, ConfigError, "--task_args: treshold"),
        ({"do_predict": True}, DataError, "--do_predict"),
        ({"resume_from_checkpoint": "none"}, ConfigError, "--resume_from_checkpoint"),
        ({"resume_from_checkpoint": "true"}, ConfigError, "--resume_from_checkpoint"),
        ({"optim": "adamw_bnb_8bit"}, ConfigError, "--optim"),
        (
            {"recipe": None, "lr_scheduler_type": "warmup_stable_decay"},
            ConfigError,
            "--lr_scheduler_type",
        ),
        (
            {"dataloader_drop_last": True, "per_device_train_batch_size": 64},
            ConfigError,
            "--dataloader_drop_last",
        ),
        ({"push_to_hub": True, "hub_token": "x"}, ConfigError, "--push_to_hub"),
        ({"metric_for_best_model": "acuracy", "eval_strategy": "epoch"}, ConfigError, "--metric_for_best_model"),
    ],
)
def test_mistakes_name_the_flag(flags, error, setting, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "")  # which --hub_token sets
    with pytest.raises(error) as caught:
        run(**flags)
    assert caught.value.setting == setting
    assert not list((tmp_path / "out").glob(".*partial*"))


def test_a_wrong_option_of_a_task_names_its_flag(run, files):
    flags = {"train_file": files / "qa.json", "validation_file": files / "qa.json"}
    with pytest.raises(ConfigError) as caught:
        run("question_answering", n_best_size=0, **flags)
    assert caught.value.setting == "--n_best_size"
    with pytest.raises(ConfigError) as caught:
        run("question_answering", doc_stride=128, **flags)
    assert caught.value.setting == "--doc_stride"


def test_smoothing_without_classes_names_the_flag(run, files):
    flags = {"train_file": files / "qa.json", "validation_file": files / "qa.json", "doc_stride": 4}
    with pytest.raises(ConfigError) as caught:
        run("question_answering", label_smoothing_factor=0.1, **flags)
    assert caught.value.setting == "--label_smoothing_factor"


def test_several_processes_are_refused(run, monkeypatch):
    monkeypatch.setattr(transformers.TrainingArguments, "world_size", property(lambda self: 2))
    with pytest.raises(ConfigError) as caught:
        run()
    assert caught.value.setting == "WORLD_SIZE"


def test_settings_that_the_recipe_overrules_are_named(run, caplog):
    run(num_train_epochs=7, learning_rate=1, preprocessing_num_workers=3, use_fast_tokenizer=False)
    assert "--num_train_epochs has no effect: the recipe decides the number of epochs" in caplog.text
    assert "--learning_rate has no effect: the recipe decides the learning rate" in caplog.text
    assert "--use_fast_tokenizer false has no effect" in caplog.text


def test_a_new_head_for_other_labels_is_said(run, files, tmp_path, caplog):
    run()
    (tmp_path / "three.csv").write_text("text,label\na,x\nb,y\nc,z\n")
    rows = {"train_file": tmp_path / "three.csv", "validation_file": tmp_path / "three.csv"}
    run(**rows, model_name_or_path=tmp_path / "out", output_dir=tmp_path / "again")
    assert f"the head of {tmp_path / 'out'} is for 2 labels" in caplog.text


def test_the_teachers_tokenizer_without_a_teacher_has_no_effect(run, caplog):
    caplog.set_level("INFO", "sparse_core")
    run(use_teacher_tokenizer=True)
    assert "use_teacher_tokenizer has no effect: nothing is distilled" in caplog.messages


def test_a_length_beyond_the_models_is_the_models(run, caplog):
    run(max_seq_length=384)
    assert "max_seq_length: 384 tokens are more than the model can read; taken as 32" in caplog.text


def test_a_training_that_diverges_is_refused(run, tmp_path):
    with pytest.raises(ModelError):
        run(recipe=None, num_train_epochs=1, learning_rate=1e30, max_grad_norm=0)
    assert not (tmp_path / "out" / "eval_results.json").exists()


def test_a_recipe_that_distils_needs_a_teacher(run, distilling_recipe, tmp_path, caplog):
    with pytest.raises(ModelError) as caught:
        run(recipe=distilling_recipe)
    assert caught.value.setting == "--distill_teacher"
    run(recipe=distilling_recipe, distill_teacher="disable")
    assert "disable; DistillationModifier has no effect" in caplog.text


def test_teachers_are_directories_or_the_model_itself(run, distilling_recipe, model, tmp_path):
    run(output_dir=tmp_path / "teacher")
    by_directory = run(recipe=distilling_recipe, distill_teacher=tmp_path / "teacher")
    by_itself = run(recipe=distilling_recipe, distill_teacher="self", output_dir=tmp_path / "self")
    assert by_directory["train_loss"] != by_itself["train_loss"]
    with pytest.raises(ModelError) as caught:
        run(recipe=distilling_recipe, distill_teacher=model, output_dir=tmp_path / "headless")
    assert caught.value.setting == "--distill_teacher"
    with pytest.raises(ModelError) as caught:
        run(recipe=distilling_recipe, distill_teacher="./none", output_dir=tmp_path / "none")
    assert caught.value.setting == "--distill_teacher"


@pytest.fixture
def first_is_best(run, tmp_path):
    """Flags that make the first of two epochs the best one, whichever way the loss went."""

    def make(**flags):
        run(**flags, eval_strategy="epoch", output_dir=tmp_path / "plain")
        history = json.loads((tmp_path / "plain" / "trainer_state.json").read_text())["log_history"]
        first, second = (entry["eval_loss"] for entry in history if "eval_loss" in entry)
        return {
            **flags, "eval_strategy": "epoch", "load_best_model_at_end": True, "metric_for_best_model": "loss",
            "greater_is_better": first > second,
        }  # fmt: skip

    return make


def head(directory):
    return weights(directory)["classifier.weight"]


def test_the_best_model_after_an_epoch(run, tmp_path, first_is_best):
    flags = first_is_best()
    run(**flags)
    assert torch.equal(head(tmp_path / "out"), head(tmp_path / "out" / "checkpoint-2"))
    run(**flags, best_model_after_epoch=1, output_dir=tmp_path / "after")
    assert torch.equal(head(tmp_path / "after"), head(tmp_path / "after" / "checkpoint-4"))
    assert not torch.equal(head(tmp_path / "after"), head(tmp_path / "out"))


def test_weights_of_before_the_quantization_are_not_the_best(run, tmp_path, quantized_recipe, first_is_best):
    scores = run(**first_is_best(recipe=quantized_recipe))
    assert torch.equal(head(tmp_path / "out"), head(tmp_path / "out" / "checkpoint-4"))
    alone = run(do_train=None, recipe=None, model_name_or_path=tmp_path / "out", output_dir=tmp_path / "eval")
    assert alone["eval_loss"] == pytest.approx(scores["eval_loss"], abs=1e-4)


def test_best_model_after_epoch_alone_does_nothing(run, caplog):
    run(best_model_after_epoch=1)
    assert "best_model_after_epoch has no effect without load_best_model_at_end" in caplog.text


@pytest.mark.parametrize(
    ("task", "file", "scores"),
    [
        ("token_classification", "words.jsonl", {"eval_f1", "eval_accuracy"}),
        ("question_answering", "qa.json", {"eval_f1", "eval_exact_match"}),
        ("masked_language_modeling", "texts.txt", {"eval_perplexity", "eval_accuracy"}),
    ],
)
def test_other_tasks(task, file, scores, run, files):
    metrics = run(task, train_file=files / file, validation_file=files / file)
    assert scores <= metrics.keys()


def test_predictions_and_samples(run, files, tmp_path):
    metrics = run(do_predict=True, test_file=files / "test.csv", num_export_samples=2)
    lines = (tmp_path / "out" / "predict_results.txt").read_text().splitlines()
    assert lines[0] == "index\tprediction" and len(lines) == 7
    assert {line.split("\t")[1] for line in lines[1:]} <= {"neg", "pos"}
    truth = [row.rsplit(",", 1)[1] for row in (files / "test.csv").read_text().splitlines()[1:]]
    right = [line.split("\t")[1] == label for line, label in zip(lines[1:], truth, strict=True)]
    assert metrics["predict_accuracy"] == pytest.approx(sum(right) / 6) and metrics["predict_samples"] == 6
    assert sorted(path.name for path in (tmp_path / "out" / "sample-inputs").iterdir()) == [
        "inp-0000.npz",
        "inp-0001.npz",
    ]


@pytest.mark.parametrize(
    ("task_name", "label", "names", "scores"),
    [
        ("mnli", -1, ["mnli.txt", "mnli-mm.txt"], set()),
        (None, 1, ["mm.txt"], {"predict_accuracy_mm", "predict_f1_mm"}),
    ],
)
def test_both_test_splits_of_mnli_are_predicted(task_name, label, names, scores, run, tmp_path):
    kinds = datasets.ClassLabel(names=["entailment", "neutral", "contradiction"])
    features = datasets.Features(premise=datasets.Value("string"), hypothesis=datasets.Value("string"), label=kinds)
    splits = {
        split: datasets.Dataset.from_dict(
            {"premise": ["word1 good"] * len(labels), "hypothesis": ["word2 bad"] * len(labels), "label": labels},
            features=features,
        )
        for split, labels in {
            "train": [0, 1, 2],
            "validation_matched": [0],
            "validation_mismatched": [2, 1],
            "test_matched": [-1],
            "test_mismatched": [label, label],
        }.items()
    }
    datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "mnli"))
    flags = {"task_name": task_name, "dataset_name": tmp_path / "mnli", "train_file": None, "validation_file": None}
    metrics = run(do_predict=True, **flags)
    assert (metrics["predict_samples"], metrics["predict_samples_mm"], metrics["eval_samples_mm"]) == (1, 2, 2)
    found = {name for name in metrics if name.startswith("predict_")}
    assert found == {"predict_samples", "predict_samples_mm"} | scores
    for name, num_lines in zip(names, (2, 3) if task_name else (3,), strict=True):
        text = (tmp_path / "out" / f"predict_results_{name}").read_text()
        assert len(text.splitlines()) == num_lines and text.startswith("index\tprediction\n0\t")


def test_a_data_set_without_test_rows(run, tmp_path):
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "label": ["x", "y"]})
    datasets.DatasetDict(train=rows, validation=rows).save_to_disk(str(tmp_path / "saved"))
    flags = {"dataset_name": tmp_path / "saved", "train_file": None, "validation_file": None}
    with pytest.raises(DataError) as caught:
        run(do_predict=True, **flags)
    assert caught.value.setting == "--do_predict"


def test_masked_language_models_predict_nothing(run, files):
    flags = {"train_file": files / "texts.txt", "validation_file": files / "texts.txt"}
    with pytest.raises(ConfigError) as caught:
        run("masked_language_modeling", test_file=files / "texts.txt", **flags)
    assert caught.value.setting == "--test_file"
    with pytest.raises(ConfigError) as caught:
        run("masked_language_modeling", do_predict=True, **flags)
    assert caught.value.setting == "--do_predict"


def test_rows_to_predict_are_missed_before_the_training(run, monkeypatch):
    kill_at(monkeypatch, 0)
    with pytest.raises(DataError) as caught:
        run(do_predict=True)
    assert caught.value.setting == "--do_predict"


@pytest.fixture
def predicted(run, files, tmp_path):
    """Trains and predicts test rows with labels, then the same rows without them.

    Gives the metrics of both commands, and what the second left in a file that the first left alike.
    """

    def make(task, file, label, name, **flags):
        test = files / file
        text = test.read_text()
        if file.endswith(".csv"):
            text = "".join(f"{line.rsplit(',', 1)[0]}\n" for line in text.splitlines())
        else:
            records = json.loads(text)["data"] if file.endswith(".json") else map(json.loads, text.splitlines())
            text = "".join(json.dumps({k: v for k, v in row.items() if k != label}) + "\n" for row in records)
        unlabelled = tmp_path / f"unlabelled{'.csv' if file.endswith('.csv') else '.jsonl'}"
        unlabelled.write_text(text)
        train = {} if file.endswith(".csv") else {"train_file": test, "validation_file": test}
        trained = run(task, do_predict=True, test_file=test, **train, **flags)
        further = {"do_train": None, "do_eval": None, "recipe": None, "model_name_or_path": tmp_path / "out"}
        alone = run(
            task, do_predict=True, test_file=unlabelled, output_dir=tmp_path / "unlabelled", **further, **train, **flags
        )
        first, second = ((tmp_path / folder / name).read_text() for folder in ("out", "unlabelled"))
        assert first == second
        return trained, alone, second

    return make


def test_classes_of_texts_without_labels(predicted):
    trained, alone, text = predicted("text_classification", "test.csv", "label", "predict_results.txt")
    assert len(text.splitlines()) == 7
    assert "predict_accuracy" in trained and alone == {"predict_samples": 6}


def test_tags_of_words_without_tags(predicted):
    trained, alone, text = predicted("token_classification", "words.jsonl", "ner_tags", "predictions.txt")
    assert [len(line.split()) for line in text.splitlines()] == [4] * 8
    assert "predict_f1" in trained and alone == {"predict_samples": 8}


def test_answers_to_questions_without_answers(predicted):
    flags = {"doc_stride": 2, "max_seq_length": 8}
    trained, alone, text = predicted("question_answering", "qa.json", "answers", "predict_predictions.json", **flags)
    assert json.loads(text).keys() == {f"q{i}" for i in range(4, 10)}
    assert "predict_f1" in trained and alone == {"predict_samples": 6}


def test_only_so_many_rows_without_labels(run, files, tmp_path):
    (tmp_path / "texts.csv").write_text("text\n" + "word1 good\n" * 5)
    metrics = run(do_predict=True, test_file=tmp_path / "texts.csv", max_predict_samples=2)
    assert {name for name in metrics if name.startswith("predict_")} == {"predict_samples"}
    results = json.loads((tmp_path / "out" / "predict_results.json").read_text())
    assert results["predict_samples"] == 2
    assert len((tmp_path / "out" / "predict_results.txt").read_text().splitlines()) == 3
