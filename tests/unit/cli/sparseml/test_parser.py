from __future__ import annotations

import dataclasses
import json
import logging
import os

import pytest
import torch
import transformers

from sparse_core.cli.sparseml.parser import parse
from sparse_core.errors import ConfigError, DependencyError
from sparse_core.tasks import get_task, task_commands
from sparse_core.training import TrainingArguments, checks
from sparse_core.training.old_arguments import IGNORED, OLD_NAMES, RENAMED

OUT = ["--output_dir", "out"]
OF_TRANSFORMERS_4_40 = """
output_dir overwrite_output_dir do_train do_eval do_predict evaluation_strategy prediction_loss_only
per_device_train_batch_size per_device_eval_batch_size per_gpu_train_batch_size per_gpu_eval_batch_size
gradient_accumulation_steps eval_accumulation_steps eval_delay learning_rate weight_decay adam_beta1 adam_beta2
adam_epsilon max_grad_norm num_train_epochs max_steps lr_scheduler_type lr_scheduler_kwargs warmup_ratio warmup_steps
log_level log_level_replica log_on_each_node logging_dir logging_strategy logging_first_step logging_steps
logging_nan_inf_filter save_strategy save_steps save_total_limit save_safetensors save_on_each_node save_only_model
no_cuda use_cpu use_mps_device seed data_seed jit_mode_eval use_ipex bf16 fp16 fp16_opt_level half_precision_backend
bf16_full_eval fp16_full_eval tf32 local_rank ddp_backend tpu_num_cores tpu_metrics_debug debug dataloader_drop_last
eval_steps dataloader_num_workers dataloader_prefetch_factor past_index run_name disable_tqdm remove_unused_columns
label_names load_best_model_at_end metric_for_best_model greater_is_better ignore_data_skip fsdp fsdp_min_num_params
fsdp_config fsdp_transformer_layer_cls_to_wrap accelerator_config deepspeed label_smoothing_factor optim optim_args
adafactor group_by_length length_column_name report_to ddp_find_unused_parameters ddp_bucket_cap_mb
ddp_broadcast_buffers dataloader_pin_memory dataloader_persistent_workers skip_memory_metrics
use_legacy_prediction_loop push_to_hub resume_from_checkpoint hub_model_id hub_strategy hub_token hub_private_repo
hub_always_push gradient_checkpointing gradient_checkpointing_kwargs include_inputs_for_metrics eval_do_concat_batches
fp16_backend push_to_hub_model_id push_to_hub_organization push_to_hub_token mp_parameters auto_find_batch_size
full_determinism torchdynamo ray_scope ddp_timeout torch_compile torch_compile_backend torch_compile_mode
dispatch_batches split_batches include_tokens_per_second include_num_input_tokens_seen neftune_noise_alpha
optim_target_modules
""".split()

COMMANDS = task_commands()


def test_every_flag_of_transformers_4_40_is_known():
    today = {field.name for field in dataclasses.fields(TrainingArguments)}
    old = set(OLD_NAMES)
    assert set(OF_TRANSFORMERS_4_40) - today - old == set()
    assert old & today == set()
    assert {renamed.to for renamed in RENAMED.values()} <= today


@pytest.mark.parametrize("task", COMMANDS)
def test_every_hugging_face_flag_is_one_of_every_command(task, capsys):
    with pytest.raises(SystemExit) as exit_info:
        parse(task, ["--help"])
    assert exit_info.value.code == 0
    text = capsys.readouterr().out
    for field in dataclasses.fields(transformers.TrainingArguments):
        assert f"--{field.name} " in text or f"--{field.name}\n" in text
    assert [line for line in text.splitlines() if line in ("model:", "data:", "recipe:", "training:")] == [
        "recipe:", "data:", "model:", "training:",
    ]  # fmt: skip
    assert "--evaluation_strategy" not in text


def test_options_of_a_task_are_fields_with_the_tasks_defaults():
    for command in COMMANDS.values():
        defaults = get_task(command.task).options
        for name in command.options:
            assert getattr(command.data(), name) == getattr(defaults, name), name


@pytest.mark.parametrize("spelling", ["--max-train-samples", "--max_train_samples"])
def test_both_spellings_and_both_ways_to_give_a_value(spelling):
    assert parse("text_classification", [*OUT, spelling, "3"]).data.max_train_samples == 3
    assert parse("text_classification", [*OUT, f"{spelling}=4"]).data.max_train_samples == 4


def test_defaults_are_those_of_the_scripts():
    text = parse("text_classification", OUT)
    assert (text.data.max_seq_length, text.training.per_device_train_batch_size) == (384, 8)
    assert (text.training.learning_rate, text.training.num_train_epochs) == (5e-5, 3.0)
    assert text.data.pad_to_max_length is False and text.user_flags == {"output_dir"}
    assert parse("token_classification", OUT).data.max_seq_length is None
    squad = parse("question_answering", OUT).data
    assert (squad.max_seq_length, squad.doc_stride, squad.n_best_size, squad.max_answer_length) == (384, None, 20, 30)
    mlm = parse("masked_language_modeling", OUT)
    assert (mlm.data.mlm_probability, mlm.data.validation_split_percentage) == (0.15, 5)
    assert mlm.model.config_overrides is None


def test_a_switch_may_have_a_value():
    words = [*OUT, "--do_train", "--do_eval", "false", "--use_teacher_tokenizer", "true"]
    arguments = parse("text_classification", words)
    assert arguments.training.do_train and not arguments.training.do_eval and arguments.model.use_teacher_tokenizer


@pytest.mark.parametrize(
    ("words", "name", "value", "notice"),
    [
        (
            ["--evaluation_strategy", "epoch"],
            "eval_strategy",
            "epoch",
            "--evaluation_strategy is called --eval_strategy now",
        ),
        (["--evaluation-strategy=steps", "--eval_steps=3"], "eval_strategy", "steps", "--evaluation-strategy is"),
        (
            ["--per_gpu_train_batch_size", "5"],
            "per_device_train_batch_size",
            5,
            "--per_gpu_train_batch_size is called --per_device",
        ),
        (["--no_cuda"], "use_cpu", True, "--no_cuda is called --use_cpu now"),
        (["--warmup_ratio", "0.1"], "warmup_steps", 0.1, "--warmup_ratio is called --warmup_steps now"),
        (["--group_by_length", "false"], "train_sampling_strategy", "random", "--train_sampling_strategy random"),
        (["--adafactor"], "optim", "adafactor", "--optim adafactor"),
        (["--optim", "adamw_hf"], "optim", "adamw_torch", "--optim adamw_hf is called adamw_torch now, and is read as"),
        (["--push_to_hub_token", "t"], "hub_token", "t", "--hub_token"),
    ],
)
def test_renamed_flags_work_and_say_so(words, name, value, notice, caplog):
    caplog.set_level(logging.INFO, "sparse_core")
    arguments = parse("text_classification", [*OUT, *words])
    assert getattr(arguments.training, name) == value
    assert name in arguments.user_flags
    assert [notice in record.getMessage() for record in caplog.records] == [True]


def test_a_token_is_not_logged(caplog):
    caplog.set_level(logging.INFO, "sparse_core")
    parse("text_classification", [*OUT, "--push_to_hub_token", "hf_secret"])
    assert "hf_secret" not in caplog.text


def test_batches_for_several_devices_are_the_accelerators(caplog):
    training = parse("text_classification", [*OUT, "--split_batches", "true"]).training
    assert training.accelerator_config.split_batches is True


@pytest.mark.parametrize("name", IGNORED)
def test_flags_without_an_effect_are_passed_over(name, caplog):
    parse("text_classification", [f"--{name}", "auto", *OUT])
    assert f"--{name} has no effect: {IGNORED[name]}" in caplog.text


def test_the_folder_of_tensorboard_is_handed_on(monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "before")
    parse("text_classification", [*OUT, "--logging_dir", "logs"])
    assert os.environ["TENSORBOARD_LOGGING_DIR"] == "logs"


@pytest.mark.skipif(torch.accelerator.is_available(), reason="float16 works on an accelerator")
def test_float16_without_a_gpu_is_float32(caplog):
    arguments = parse("text_classification", [*OUT, "--fp16"])
    assert not arguments.training.fp16 and arguments.training.use_cpu
    assert "--fp16 has no effect: float16 needs a GPU" in caplog.text
    assert parse("text_classification", [*OUT, "--bf16"]).training.bf16


@pytest.mark.parametrize(
    ("words", "setting"),
    [
        (
            ["--evaluation_stratgy", "epoch"],
            "--evaluation_stratgy",
        ),
        (["--max-seq-lenght=3"], "--max-seq-lenght"),
        (["--max_seq", "3"], "--max_seq"),
        (["stray"], "stray"),
        (["--learning-rate", "fast"], "--learning-rate"),
        (["--learning_rate=fast"], "--learning_rate"),
        (["--learning_rate", "nan"], "--learning_rate"),
        (["--learning_rate", "-1"], "--learning_rate"),
        (["--evaluation-strategy", "epochs"], "--evaluation-strategy"),
        (["--eval_strategy", "epochs"], "--eval_strategy"),
        (["--per_gpu_train_batch_size", "x"], "--per_gpu_train_batch_size"),
        (["--max_train_samples", "0"], "--max_train_samples"),
        (["--per_device_eval_batch_size", "-8"], "--per_device_eval_batch_size"),
        (["--seed=-1"], "--seed"),
        (["--data_seed=5000000000"], "--data_seed"),
        (["--label_smoothing_factor=1"], "--label_smoothing_factor"),
        (["--save_strategy=best"], "--save_strategy"),
        (["--num_train_epochs", "0"], "--num_train_epochs"),
        (["--validation_ratio", "1"], "--validation_ratio"),
        (["--do_train", "maybe"], "--do_train"),
        (["--trust_remote_code"], "--trust_remote_code"),
        (["--report_to", "wandbb"], "--report_to"),
        (
            ["--load_best_model_at_end", "--eval_strategy", "epoch"],
            "--load_best_model_at_end",
        ),
        (["--lr_scheduler_kwargs", "{"], "--lr_scheduler_kwargs"),
        (["--accelerator_config", "none.json"], "--accelerator_config"),
        (["--deepspeed", "d.json"], "--deepspeed"),
        (["--fsdp", "full_shard"], "--fsdp"),
        (["--optim_args", "betas"], "--optim_args"),
        (["--torch_compile_backend", "inducto"], "--torch_compile_backend"),
        (["--torch_compile_mode", "fast"], "--torch_compile_mode"),
        (["--dataloader_persistent_workers"], "--dataloader_persistent_workers"),
    ],
)
def test_mistakes_are_one_sentence_with_the_flag_as_written(words, setting):
    with pytest.raises(ConfigError) as raised:
        parse("text_classification", [*OUT, *words])
    assert raised.value.setting == setting
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "module", "setting"),
    [
        (["--report_to", "wandb"], "get_available_reporting_integrations", "--report_to"),
        (["--use_liger_kernel"], "is_liger_kernel_available", "--use_liger_kernel"),
    ],
)
def test_packages_that_are_not_installed(words, module, setting, monkeypatch):
    monkeypatch.setattr(checks, module, list)
    with pytest.raises(DependencyError) as caught:
        parse("text_classification", [*OUT, *words])
    assert caught.value.setting == setting


@pytest.mark.parametrize("value", ["false", "False", "no", "0"])
def test_a_remote_code_switch_that_is_off_is_fine(value):
    parse("text_classification", [*OUT, "--trust_remote_code", value])
    with pytest.raises(ConfigError) as caught:
        parse("text_classification", [*OUT, "--trust_remote_code", "True"])
    assert caught.value.setting == "--trust_remote_code"


def test_without_output_dir():
    with pytest.raises(ConfigError) as caught:
        parse("text_classification", ["--do_train"])
    assert caught.value.setting == "--output_dir"


def test_a_flag_of_another_task_is_unknown():
    with pytest.raises(ConfigError) as caught:
        parse("question_answering", [*OUT, "--label_all_tokens"])
    assert caught.value.setting == "--label_all_tokens"


CONFIG = {
    "output_dir": "o", "do_train": True, "do_eval": False, "learning_rate": 1e-4, "recipe_args": {"num_epochs": 2},
    "label_names": ["labels", "more"], "train_file": None, "evaluation_strategy": "epoch",
    "recipe": "--- not a flag\n- x", "input_column_names": ["sentence_A", "sentence_B"],
}  # fmt: skip


@pytest.mark.parametrize("suffix", ["json", "yaml"])
def test_one_file_may_hold_all_flags(suffix, tmp_path):
    path = tmp_path / f"run.{suffix}"
    path.write_text(json.dumps(CONFIG))  # which is YAML too
    arguments = parse("text_classification", [str(path)])
    assert arguments.training.do_train and arguments.training.learning_rate == 1e-4
    assert arguments.training.eval_strategy == "epoch" and arguments.training.do_eval
    assert arguments.training.label_names == ["labels", "more"]
    assert arguments.data.input_column_names == "sentence_A,sentence_B"
    assert json.loads(arguments.recipe.recipe_args) == {"num_epochs": 2}
    assert arguments.recipe.recipe == CONFIG["recipe"] and arguments.data.train_file is None
    assert parse("text_classification", [str(path), "--learning_rate", "2e-4"]).training.learning_rate == 2e-4


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.yaml", "save_strategy: no", {"save_strategy": "no"}),
        ("b.yaml", "evaluation_strategy: no", {"eval_strategy": "no"}),
        ("c.yaml", "evaluation-strategy: off", {"eval_strategy": "no"}),
        ("d.json", '{"report_to": [], "debug": [], "label_names": []}', {"report_to": [], "debug": []}),
        ("e.json", '{"seed": 8.0, "per_gpu_eval_batch_size": 4.0}', {"seed": 8, "per_device_eval_batch_size": 4}),
        ("f.json", '{"num_train_epochs": 2.0, "run_name": 1.0}', {"num_train_epochs": 2.0, "run_name": "1.0"}),
        ("g.json", '{"optim": "sgd", "adafactor": false}', {"optim": "sgd"}),
        ("h.json", '{"warmup_ratio": 0.1, "warmup_steps": 0}', {"warmup_steps": 0.1}),
        ("i.json", '{"warmup_steps": 7, "warmup_ratio": 0.0}', {"warmup_steps": 7}),
        ("h.json", '{"hub_token": "<HUB_TOKEN>"}', {"hub_token": None}),
    ],
)
def test_values_as_files_have_them(name, text, expected, tmp_path):
    (tmp_path / name).write_text(text)
    training = parse("text_classification", [str(tmp_path / name), *OUT]).training
    assert {key: getattr(training, key) for key in expected} == expected


def test_a_dump_of_training_arguments_is_a_file_of_flags(tmp_path):
    dump = transformers.TrainingArguments(str(tmp_path), learning_rate=3e-4, save_strategy="no").to_dict()
    (tmp_path / "dump.json").write_text(json.dumps(dump))
    training = parse("token_classification", [str(tmp_path / "dump.json")]).training
    of_the_machine = {name: dump[name] for name in ("disable_tqdm", "use_cpu", "dataloader_pin_memory")}
    after = {**training.to_dict(), **of_the_machine}
    assert {name: after[name] for name in dump if dump[name] is not None} == {
        name: value for name, value in dump.items() if value is not None
    }


def test_numbers_that_yaml_reads_as_text(tmp_path):
    (tmp_path / "run.yaml").write_text("output_dir: o\nlearning_rate: 3e-5\n")
    assert parse("text_classification", [str(tmp_path / "run.yaml")]).training.learning_rate == 3e-5


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("none.json", None, "none.json: the file cannot be read: No such file"),
        ("a.json", "{", "a.json: not a JSON file: "),
        ("a.yaml", "a: [b", "a.yaml: not a YAML file: while parsing a flow sequence, line 1, column 4"),
        ("b.yaml", "!!python/object:os.system {}", "b.yaml: not a YAML file: "),
        ("c.json", "[1]", "c.json: expected flags and their values"),
        ("d.json", '{"output_dir": "o", "task_nam": "sst2"}', "--task_nam: unknown flag .*did you mean '--task_name'"),
        ("e.json", '{"output_dir": "o", "max_steps": "many"}', "^--max_steps: invalid int value: 'many'"),
        ("f.json", '{"output_dir": "o", "max_steps": 8.5}', "^--max_steps: invalid int value: '8.5'"),
    ],
)
def test_mistakes_in_a_file(name, text, message, tmp_path):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message):
        parse("text_classification", [str(tmp_path / name)])


def test_a_file_that_is_a_value_is_no_file_of_flags(tmp_path):
    assert parse("text_classification", ["--train_file", "a.json", *OUT]).data.train_file == "a.json"
