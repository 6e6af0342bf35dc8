from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sparse_pipelines.components.image import IMAGE, IMAGE_VARIABLE
from sparse_pipelines.pipelines.cli import PIPELINES, main
from sparse_pipelines.pipelines.config import CONFIGS

GOLDEN = Path(__file__).parents[1] / "golden" / "pipelines"


def test_the_command_knows_every_pipeline():
    assert set(PIPELINES) == set(CONFIGS)


@pytest.mark.parametrize("name", PIPELINES)
def test_ir_yaml_is_the_golden_one(name, tmp_path):
    compiled, golden = tmp_path / f"{name}.yaml", GOLDEN / f"{name}.yaml"
    assert main(["compile", name, "--output", str(compiled)]) == 0
    if os.environ.get("GOLDEN_UPDATE"):
        golden.write_text(compiled.read_text())
    assert compiled.read_text() == golden.read_text(), "`make golden` rewrites it; look at the difference first"


@pytest.mark.parametrize("name", PIPELINES)
def test_tasks_install_nothing_and_use_one_image(name):
    spec = next(yaml.safe_load_all((GOLDEN / f"{name}.yaml").read_text()))
    containers = [executor["container"] for executor in spec["deploymentSpec"]["executors"].values()]
    assert {container["image"] for container in containers} == {IMAGE}
    assert "python" in IMAGE
    assert not any("pip install" in word for container in containers for word in container["command"])


def test_the_image_is_chosen_when_compiling(tmp_path):
    target = tmp_path / "p.yaml"
    subprocess.run(
        [sys.executable, "-m", "sparse_pipelines.pipelines.cli", "compile", "sparsify", "--output", str(target)],
        env={**os.environ, IMAGE_VARIABLE: "registry.example/python-cpu@sha256:0"},
        check=True,
        capture_output=True,
    )
    assert "image: registry.example/python-cpu@sha256:0" in target.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["compile", "sparsify", "--output", "x.txt"], "--output: expected a name that ends in .yaml, got x.txt"),
        (["compile", "sparse", "--output", "x.yaml"], "invalid choice: 'sparse'"),
        (["compile", "sparsify"], "required: --output"),
        (["compile", "sparsify", "--out", "x.yaml"], "unknown option '--out'; did you mean '--output'?"),
        (["run"], "required: CONFIG.yaml"),
        (["run", "none.yaml"], "config: none.yaml does not exist"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_1(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        main(words)
    assert exit_info.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert message in error


def test_help_imports_neither_kfp_nor_torch():
    code = (
        "import sys\nfrom sparse_pipelines.pipelines.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('kfp', 'torch', 'transformers') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
