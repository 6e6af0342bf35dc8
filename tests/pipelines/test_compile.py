from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sparse_pipelines.components.image import IMAGE, IMAGE_VARIABLE
from sparse_pipelines.pipelines.cli import main
from sparse_pipelines.pipelines.runner import load_pipeline
from sparse_pipelines.pipelines.spec import PIPELINES

GOLDEN = Path(__file__).parents[1] / "golden" / "pipelines"


MAX_PARAMETERS = 20


@pytest.mark.parametrize("name", PIPELINES)
def test_a_pipeline_has_few_parameters_and_those_of_its_declaration(name):
    pipeline, spec = PIPELINES[name], load_pipeline(name).component_spec
    settings = pipeline.settings()
    flat = {setting.name: setting.field for setting in settings.values() if not setting.group}
    assert set(spec.inputs) == set(flat) | pipeline.groups()
    assert len(spec.inputs) <= MAX_PARAMETERS
    for parameter, field in flat.items():
        assert spec.inputs[parameter].optional == (not field.is_required())
        assert field.is_required() or spec.inputs[parameter].default == field.default


@pytest.mark.parametrize("name", PIPELINES)
def test_every_parameter_reaches_a_task(name):
    root = load_pipeline(name).pipeline_spec.root
    used = {
        value.component_input_parameter for task in root.dag.tasks.values() for value in task.inputs.parameters.values()
    }
    used.discard("")  # a constant, such as the names of the benchmark's candidates
    assert used == set(root.input_definitions.parameters)


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
    ("words", "setting"),
    [
        (["compile", "sparsify", "--output", "x.txt"], "--output: "),
        (["compile", "sparse", "--output", "x.yaml"], "'sparse'"),
        (["compile", "sparsify"], "--output"),
        (["compile", "sparsify", "--out", "x.yaml"], "--out: "),
        (["run"], "CONFIG.yaml"),
        (["run", "none.yaml"], "config: "),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_1(words, setting, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_info:
        main(words)
    assert exit_info.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    assert setting in error


_BLOCKED = ("numpy", "torch", "transformers", "datasets", "pyarrow", "onnx", "onnxruntime")
_WITHOUT = f"""
import sys
from importlib.abc import MetaPathFinder
class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {_BLOCKED}:
            raise ModuleNotFoundError("absent: " + name, name=name)
sys.meta_path.insert(0, Absent())
from sparse_pipelines.pipelines.cli import main
main(sys.argv[1:])
"""


def test_compiling_needs_none_of_the_training_packages(tmp_path):
    command = [sys.executable, "-c", _WITHOUT, "compile", "sparse_transfer", "--output", str(tmp_path / "p.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "p.yaml").is_file()


def test_help_imports_neither_kfp_nor_torch():
    code = (
        "import sys\nfrom sparse_pipelines.pipelines.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('kfp', 'torch', 'transformers') if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
