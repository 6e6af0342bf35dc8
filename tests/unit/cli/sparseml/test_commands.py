from __future__ import annotations

import subprocess
import sys

import pytest

from sparse_core.cli import main as cli
from sparse_core.cli.sparseml import TITLES, sparseml_command
from sparse_core.tasks import TASKS, task_commands

COMMANDS = task_commands()


def test_every_task_has_a_command():
    assert sorted(TITLES) == sorted(COMMANDS) == sorted(TASKS)


@pytest.mark.parametrize("prefix", ["", "train.", "transformers.", "transformers.train."])
@pytest.mark.parametrize("task", TITLES)
def test_prefixes_of_the_old_commands(prefix, task, capsys):
    with pytest.raises(SystemExit) as exit_info:
        cli.main([prefix + task, "--help"])
    assert exit_info.value.code == 0
    assert f"usage: sparse-core {task} --flag value" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "is_sparsemls"),
    [
        (["export_onnx", "--task", "qa", "--model_path", "m"], True),
        (["export_onnx", "--model-path=m", "--task=qa"], True),
        (["transformers.export_onnx", "--help"], True),
        (["export_onnx", "--model", "m", "--dataset", "d", "--output", "o"], False),
        (["export_onnx", "--help"], False),
        (["train_teacher", "--model_path", "m"], False),
        (["recipe", "list"], False),
        ([], False),
    ],
)
def test_export_onnx_has_two_forms(words, is_sparsemls):
    assert (sparseml_command(words) is not None) == is_sparsemls


@pytest.mark.parametrize(
    ("command", "flag"), [("export_onnx", "--min-agreement"), ("transformers.export_onnx", "--data_args")]
)
def test_the_help_of_either_form_of_the_export(command, flag, capsys):
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    text = capsys.readouterr().out
    assert flag in text
    assert ("`sparse-core transformers.export_onnx --help`" in " ".join(text.split())) == (command == "export_onnx")


def test_the_main_help_lists_them(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    for task, title in TITLES.items():
        assert f"{task} {title}" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["text_classification", "--task_nam", "sst2"], "--task_nam: unknown flag"),
        (["train.token_classification", "--do_train"], "--output_dir: is not given"),
        (["text_clasification"], "unknown command 'text_clasification'; did you mean 'text_classification'?"),
        (
            ["train.question-answering"],
            "unknown command 'train.question-answering'; did you mean 'question_answering'?",
        ),
        (["export_onnx", "--model_path", "m"], "--task: is not given"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        cli.main(words)
    assert exit_info.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and message in error
    assert list(tmp_path.iterdir()) == []


def test_without_transformers_the_extra_is_named():
    code = (
        "import sys\nsys.modules['transformers'] = None\nfrom sparse_core.cli.main import main\n"
        "main(['text_classification', '--help'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "error: this command needs torch and transformers; install `sparse-pipelines[train]`\n"
