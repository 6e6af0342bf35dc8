"""Who may import whom, read from the sources; STYLE and docs/README.md say why."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PREFIX = {"sparse_core": "sparse_core", "components": "sparse_pipelines.components",
          "pipelines": "sparse_pipelines.pipelines"}  # fmt: skip

MAY_IMPORT = {
    "errors": set(),
    "fields": set(),
    "artifacts": {"errors", "store"},
    "sources": {"errors", "artifacts"},
    "modifiers": {"errors", "fields", "store", "artifacts"},
    "recipe": {"errors", "fields", "artifacts", "sources", "modifiers"},
    "recipes": set(),
    "tasks": {"errors", "fields", "artifacts", "sources", "modifiers"},
    "export": {"errors", "artifacts", "sources", "modifiers", "recipe", "tasks"},
    "benchmark": {"errors", "fields", "store", "artifacts", "sources", "modifiers", "recipe", "tasks", "export"},
    "training": {"errors", "artifacts", "sources", "modifiers", "recipe", "tasks"},
    "steps": {"errors", "artifacts", "sources", "modifiers", "recipe", "tasks", "export", "benchmark", "training"},
    "finetune": {"errors", "artifacts", "sources", "modifiers", "recipe", "tasks", "export", "training", "steps"},
    "cli": {"errors", "artifacts", "sources", "recipe", "steps", "finetune"},
}
"""Parts of sparse_core and those below them."""

HEAVY = {"torch", "transformers", "datasets", "onnx", "onnxruntime", "matplotlib", "numpy", "pyarrow",
         "sklearn", "scipy"}  # fmt: skip
OPTIONAL = {"onnxruntime", "openvino", "deepsparse", "kfp", "matplotlib", "jinja2", "psutil", "sklearn", "scipy"}
WITH_ANOTHER = {"tokenizers", "huggingface_hub", "httpx2", "markupsafe", "annotated_types", "scipy"}
"""Come with transformers, jinja2, pydantic and scikit-learn, in versions that those choose."""
TENSOR_FUNCTIONS = (
    "sparse_core.modifiers.pruning.masks",
    "sparse_core.modifiers.distillation.losses",
    "sparse_core.modifiers.quantization.fake_quant",
)


@dataclass(frozen=True)
class Import:
    """One import statement's target."""

    module: str
    at_load: bool
    """Runs when the importing module is loaded: outside of functions and of `if TYPE_CHECKING`."""
    star: bool = False


def _modules() -> dict[str, Path]:
    found = {}
    for folder, prefix in PREFIX.items():
        for path in (ROOT / folder).rglob("*.py"):
            if "tests" in path.parts or path.name == "conftest.py":
                continue
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join((prefix, *(part for part in parts if part != "__init__")))] = path
    return found


MODULES = _modules()


def _imports(name: str) -> list[Import]:
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return list(_walk(ast.parse(path.read_text(encoding="utf-8")), package, at_load=True))


def _walk(node: ast.AST, package: str, at_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, at_load) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = ".".join(package.split(".")[: len(package.split(".")) - child.level + 1]) if child.level else ""
            module = ".".join(part for part in (base, child.module or "") if part)
            for alias in child.names:
                full = f"{module}.{alias.name}"
                yield Import(full if full in MODULES else module, at_load, alias.name == "*")
        else:
            inner = at_load and not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, package, inner and not _is_skipped_at_load(child))


def _is_skipped_at_load(node: ast.AST) -> bool:
    """Whether `node` is a block for type checkers only, or for a module that is run as a script."""
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "__name__ == '__main__'")


def _root(module: str) -> str:
    return module.partition(".")[0]


CORE = sorted(name for name in MODULES if name.startswith("sparse_core."))


@pytest.mark.parametrize("name", CORE)
def test_parts_import_only_what_is_below_them(name):
    part = name.split(".")[1]
    assert part in MAY_IMPORT, f"{part} is new: say in MAY_IMPORT what it may import"
    for target in _imports(name):
        if target.module.startswith("sparse_core."):
            other = target.module.split(".")[1]
            assert other == part or other in MAY_IMPORT[part], f"{name} must not import {target.module}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("sparse_core")])
def test_the_library_knows_no_pipelines(name):
    for target in _imports(name):
        assert _root(target.module) not in ("kfp", "sparse_pipelines", "components", "pipelines"), name


@pytest.mark.parametrize("name", MODULES)
def test_no_star_imports(name):
    for target in _imports(name):
        assert not target.star, f"{name} imports * from {target.module}"


@pytest.mark.parametrize("name", MODULES)
def test_optional_packages_are_imported_where_they_are_used(name):
    allowed = {"kfp"} if name.startswith("sparse_pipelines") else set()
    at_load = {_root(target.module) for target in _imports(name) if target.at_load}
    assert not at_load & (OPTIONAL - allowed), name


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in CORE
        if name.split(".")[1] in ("steps", "cli", "recipe", "sources", "errors", "fields", "artifacts")
    ],
)
def test_light_parts_load_nothing_heavy(name):
    assert not {_root(target.module) for target in _imports(name) if target.at_load} & HEAVY


@pytest.mark.parametrize("name", TENSOR_FUNCTIONS)
def test_tensor_functions_know_only_tensors(name):
    for target in _imports(name):
        known = _root(target.module) in {
            "torch",
            "numpy",
            "math",
            "__future__",
            "collections",
            "typing",
            "dataclasses",
            "enum",
        }
        assert known or target.module == "sparse_core.errors", f"{name} imports {target.module}"


@pytest.mark.parametrize("name", [name for name in MODULES if name.endswith(".component") and name not in CORE])
def test_components_load_only_kfp(name):
    at_load = {target.module for target in _imports(name) if target.at_load}
    assert at_load == {"kfp", "sparse_pipelines.components.image"}


def test_there_are_no_import_cycles():
    graph = {}
    for name in MODULES:
        targets = {target.module for target in _imports(name) if target.at_load and target.module in MODULES}
        graph[name] = {target for target in targets if target != name and not name.startswith(f"{target}.")}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_third_party_imports_are_declared():
    declared = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    distributions = {"yaml": "pyyaml", "docstring_parser": "docstring-parser", "sklearn": "scikit-learn"}
    optional_engines = {"openvino", "deepsparse"}
    for name in MODULES:
        for target in _imports(name):
            root = _root(target.module)
            if (
                root in sys.stdlib_module_names
                or root in ("sparse_core", "sparse_pipelines")
                or root in optional_engines
            ):
                continue
            known = distributions.get(root, root) in declared or root in WITH_ANOTHER
            assert known, f"{name} imports {root}, which setup.cfg does not name"
