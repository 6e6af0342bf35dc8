from __future__ import annotations

import json
import logging
import resource
import subprocess
import sys

import pytest

from sparse_core.cli import main as cli
from sparse_core.cli.logs import configure_logging
from sparse_core.steps.registry import STEPS, load_step

HEAVY = ("torch", "transformers", "datasets", "onnx", "onnxruntime", "matplotlib", "kfp", "numpy")


@pytest.fixture(autouse=True)
def root_logger():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


@pytest.mark.parametrize("name", STEPS)
def test_every_step_has_a_command_that_explains_each_setting(name, capsys):
    step = load_step(name)
    with pytest.raises(SystemExit) as exit_info:
        cli.main([name, "--help"])
    assert exit_info.value.code == 0
    text = capsys.readouterr().out
    for port in (*step.inputs, step.output):
        assert port.help
    for option in ("output", *(port.name for port in step.inputs), *(setting.name for setting in step.settings())):
        assert "--" + option.replace("_", "-") in text
    assert all(setting.field.description for setting in step.settings())


def test_help_imports_nothing_heavy_and_answers_at_once():
    code = (
        "import sys\nfrom sparse_core.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    before = _children_cpu_seconds()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    seconds = _children_cpu_seconds() - before
    assert done.stderr.strip() == "[]"
    assert "train_teacher" in done.stdout
    assert seconds < 0.5, "processor time, so that a busy machine changes nothing; 0.1 s is usual"


def _children_cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def test_a_step_runs_and_prints_its_results(tmp_path, capsys):
    code = cli.main(["fetch_recipe", "--recipe", "dense/base", "--output", str(tmp_path / "out"), "--json"])
    assert code == 0
    assert json.loads(capsys.readouterr().out)["num_epochs"] == 8
    assert (tmp_path / "out" / "recipe.yaml").is_file()


def test_results_are_aligned():
    assert cli.aligned({"a": 1, "accuracy": 0.123456789, "name": "x"}) == (
        "a         1\naccuracy  0.123457\nname      x"
    )
    assert cli.aligned({}) == ""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fetch_recipe", "--recipe", "dense/bas", "--output", "o"], "--recipe: "),
        (["fetch_recipe", "--recipes", "x", "--output", "o"], "--recipes: "),
        (["fetch_recipe", "--output", "o"], "--recipe: "),
        (["fetch_recipe", "--recipe", "dense/base"], "--output: "),
        (["export_onnx", "--opset", "99", "--model", "m", "--dataset", "d", "--output", "o"], "--opset: expected"),
        (["fetch_dataset", "--task_args", '{"x": 1}', "--train-file", "t", "--output", "o"], "--task-args: x: "),
        (["quux"], "'quux'; `sparse-core --help` lists the commands"),
        (["exportonnx"], "'exportonnx'; did you mean 'export_onnx'?"),
        ([], "required: COMMAND"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        cli.main(words)
    assert exit_info.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_is_exit_code_130(monkeypatch):
    def interrupted(*paths, **values):
        raise KeyboardInterrupt

    monkeypatch.setattr("sparse_core.steps.spec.Step.__call__", interrupted)
    with pytest.raises(SystemExit) as exit_info:
        cli.main(["fetch_recipe", "--recipe", "dense/base", "--output", "o"])
    assert exit_info.value.code == 130


def test_logs_are_bare_messages_with_the_level_where_it_matters(capsys):
    configure_logging()
    logging.getLogger("sparse_core.training").info("epoch 1")
    logging.getLogger("sparse_core.training").debug("hidden")
    logging.getLogger("another_library").info("hidden too")
    logging.getLogger("another_library").warning("heard")
    assert capsys.readouterr().err == "epoch 1\nwarning: heard\n"


@pytest.mark.parametrize("verbose", [False, True])
def test_warnings_that_nobody_can_act_on_are_left_out_unless_verbose(verbose):
    configure_logging(verbose=verbose)
    assert logging.getLogger("transformers.trainer_utils").isEnabledFor(logging.WARNING) == verbose
    assert logging.getLogger("transformers.trainer_utils").isEnabledFor(logging.ERROR)
    assert logging.getLogger("transformers.trainer").isEnabledFor(logging.WARNING)


def test_verbose_logs_have_names(capsys):
    configure_logging(verbose=True)
    logging.getLogger("sparse_core.training").debug("detail")
    assert "DEBUG sparse_core.training: detail" in capsys.readouterr().err
