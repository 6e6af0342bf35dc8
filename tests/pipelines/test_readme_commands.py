"""The commands of the README work as they are written there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from transformers import BertConfig

from sparse_core.cli.main import main as sparse_core
from sparse_core.cli.sparseml.parser import parse
from sparse_pipelines.pipelines.cli import main as sparse_pipelines
from sparse_pipelines.pipelines.config import load_config

ROOT = Path(__file__).parents[2]
MAINS = {"sparse-core": sparse_core, "sparse-pipelines": sparse_pipelines}
LONG = {"run", "token_classification"}
"""Subcommands that train: what they are given is read, and no more."""


def _commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.partition(" ")[0] in MAINS]


COMMANDS_OF_README = _commands()


def test_the_commands_are_found():
    assert len(COMMANDS_OF_README) >= 6
    assert {line.split()[1] for line in COMMANDS_OF_README} >= {"recipe", "compile", *LONG}


@pytest.mark.parametrize("line", [line for line in COMMANDS_OF_README if line.split()[1] not in LONG])
def test_a_command_runs_as_written(line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    BertConfig(num_hidden_layers=1, hidden_size=8, num_attention_heads=2).save_pretrained(tmp_path / "path/to/model")
    program, *words = shlex.split(line, comments=True)
    if "--help" in words:
        with pytest.raises(SystemExit) as exit_info:
            MAINS[program](words)
        assert exit_info.value.code == 0
    else:
        assert MAINS[program](words) == 0
    assert capsys.readouterr().out.strip()
    for name in (word for word in words if word.endswith((".svg", ".yaml"))):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize("line", [line for line in COMMANDS_OF_README if line.split()[1] in LONG])
def test_what_a_long_command_is_given_can_be_read(line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, command, *words = shlex.split(line, comments=True)
    if command == "run":
        assert load_config(ROOT / words[0]).values["model"]
    else:
        arguments = parse(command, words)
        assert (arguments.recipe.recipe, arguments.training.do_train) == ("conll2003/base", True)
