"""The wheel as a user gets it: everything in it imports, and nothing of it under a name that is not ours."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("sparse_core", "components", "pipelines", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")

IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import sparse_core, sparse_pipelines.components, sparse_pipelines.pipelines
count = 0
for package in (sparse_core, sparse_pipelines.components, sparse_pipelines.pipelines):
    assert sys.prefix in package.__file__, package.__file__
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        count += 1
for name in ("components", "pipelines"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} is importable under its bare name")
print(count)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy of the sources so that the checkout stays clean."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / name, source / name)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(out), str(source)],
        check=True,
    )
    (path,) = out.glob("sparse_pipelines-*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """A fresh virtual environment with the wheel; its dependencies are those of this environment, not downloaded."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", str(wheel)], check=True)
    site = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    # Only folders named here are added: an editable install of this checkout would need a .pth file to be read there.
    (Path(site) / "dependencies.pth").write_text("\n".join(_dependency_folders()) + "\n")
    return folder


def _dependency_folders() -> list[str]:
    folders = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    return sorted(folders | {path for path in sys.path if path.endswith("site-packages")})


@pytest.mark.slow
def test_everything_in_the_wheel_imports(environment, tmp_path):
    done = subprocess.run(
        [environment / "bin" / "python", "-c", IMPORT_EVERYTHING], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    num_modules = sum(
        1
        for folder in ("sparse_core", "components", "pipelines")
        for path in (ROOT / folder).rglob("*.py")
        if "tests" not in path.parts and path.name != "conftest.py"
    )
    assert int(done.stdout) == num_modules - 3, "the three top packages are not counted by the walk"


@pytest.mark.slow
def test_commands_are_installed(environment, tmp_path):
    for command in ("sparse-core", "sparse-pipelines"):
        done = subprocess.run(
            [environment / "bin" / command, "--version"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert done.stdout.startswith(command)


@pytest.mark.slow
def test_data_files_are_in_and_tests_are_not(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "sparse_core/recipes/sst2/pruned90_quant.yaml" in names
    assert "sparse_core/benchmark/report.html.j2" in names
    assert "sparse_core/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if "/tests/" in name or name.endswith("conftest.py")]
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"sparse_core", "sparse_pipelines"}
    tracked = {path.relative_to(ROOT).as_posix() for path in (ROOT / "sparse_core").rglob("*.yaml")}
    assert tracked <= set(names)


def test_setup_cfg_names_every_package():
    listed = set(_setup_cfg()["options"]["packages"].split())
    found = {_package_name(path.parent) for folder in ("sparse_core", "components", "pipelines")
             for path in (ROOT / folder).rglob("__init__.py")}  # fmt: skip
    assert listed == found


def _package_name(folder: Path) -> str:
    name = ".".join(folder.relative_to(ROOT).parts)
    return name if name.startswith("sparse_core") else f"sparse_pipelines.{name}"


def test_extras_keep_installations_small():
    extras = {name: text.split() for name, text in _setup_cfg()["options.extras_require"].items()}
    base = _setup_cfg()["options"]["install_requires"]
    assert not any(heavy in base for heavy in ("torch", "transformers", "kfp", "onnx", "numpy"))
    assert not any("torch" in item or "train" in item for item in extras["kfp"])
    for name in ("train", "export", "benchmark"):
        assert not any("kfp" in item for item in extras[name])
    assert "torch==2.13.*" in extras["train"]


def test_constraints_pin_every_requirement():
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"
    )
    assert pinned["torch"] == "2.13.0", "without a local version tag, which would name one index"
    names = {name.lower().replace("_", "-") for name in pinned}
    config = _setup_cfg()
    requirements = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    for line in "\n".join(requirements).split():
        name = re.split(r"[\[=<>!]", line)[0].lower().replace("_", "-")
        assert name in names | {"sparse-pipelines"}, f"{name} is not in constraints.txt"


def _setup_cfg() -> configparser.ConfigParser:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config
