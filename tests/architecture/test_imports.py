"""Which room may import which, read from the sources; docs/architecture.md explains the rooms."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "sparse_core": "sparse_core",
    "components": "sparse_pipelines.components",
    "pipelines": "sparse_pipelines.pipelines",
}
"""Folder -> name of its package."""

_BASE = {"errors", "fields", "store", "artifacts"}
_SOURCES = {"sources", "sources.data", "sources.models", "sources.zoo"}
_LIBRARY = {*_BASE, *_SOURCES, "modifiers", "recipe", "tasks"}
MAY_IMPORT = {
    "errors": set(),
    "fields": {"errors"},
    "store": {"errors"},
    "artifacts": {"errors", "fields", "store"},
    "sources": _BASE,
    "sources.data": {*_BASE, "sources"},
    "sources.zoo": {*_BASE, "sources"},
    "sources.models": {*_BASE, "sources", "sources.zoo"},
    "modifiers": _BASE,
    "recipe": {*_BASE, "sources", "sources.zoo", "modifiers"},
    "recipes": set(),
    "tasks": {*_BASE, *_SOURCES, "modifiers"},
    "training": _LIBRARY,
    "export": _LIBRARY,
    "benchmark": {*_LIBRARY, "export"},
    "steps": {*_LIBRARY, "training", "export", "benchmark"},
    "cli": {*_BASE, *_SOURCES, "recipe", "tasks", "steps", "cli.sparseml"},
    "cli.sparseml": {*_LIBRARY, "training", "export", "steps", "cli"},
}
"""The rooms of sparse_core, and the rooms that each may import."""

HEAVY = {"torch", "transformers", "datasets", "onnx", "onnxruntime", "matplotlib", "numpy", "pyarrow", "sklearn"}
LIGHT = {"errors", "fields", "store", "artifacts", "recipe", "steps", "cli"} | _SOURCES
"""Rooms that load nothing of HEAVY, neither themselves nor through what they import.

`cli.sparseml` is not one of them: its flags come from transformers. Its package is, because `cli` imports that.
"""
OPTIONAL = {"onnxruntime", "openvino", "deepsparse", "kfp", "matplotlib", "jinja2", "psutil", "sklearn", "scipy"}
DECLARED_BY_OTHERS = {"tokenizers", "huggingface_hub", "httpx2", "markupsafe", "annotated_types", "scipy"}
"""Come with transformers, jinja2, pydantic and scikit-learn, in the versions that those need."""
DISTRIBUTIONS = {"yaml": "pyyaml", "docstring_parser": "docstring-parser", "sklearn": "scikit-learn"}
"""Package -> distribution, where the names differ."""
UNDECLARED_ENGINES = {"openvino", "deepsparse"}
TENSOR_FUNCTIONS = (
    "sparse_core.modifiers.pruning.masks",
    "sparse_core.modifiers.distillation.losses",
    "sparse_core.modifiers.quantization.fake_quant",
)
TENSOR_PACKAGES = {"torch", "numpy", "math", "__future__", "collections", "typing", "dataclasses", "enum"}


@dataclass(frozen=True)
class Import:
    """The target of one import statement."""

    module: str
    at_load: bool
    """Runs when the importing module is loaded: it stands outside of functions and of `if TYPE_CHECKING`."""
    star: bool = False

    @property
    def package(self) -> str:
        """First part of the module's name."""
        return self.module.partition(".")[0]


def _modules() -> dict[str, Path]:
    modules = {}
    for folder, package in PACKAGES.items():
        for path in (ROOT / folder).rglob("*.py"):
            if "tests" in path.parts or path.name == "conftest.py":
                continue
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            modules[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return modules


MODULES = _modules()
CORE = sorted(name for name in MODULES if name.startswith("sparse_core."))


@cache
def _imports(name: str) -> tuple[Import, ...]:
    path = MODULES[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    return tuple(_walk(ast.parse(path.read_text(encoding="utf-8")), package, at_load=True))


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


def _room(name: str) -> str:
    """The longest entry of MAY_IMPORT that a module lies in; the first folder where there is none."""
    parts = name.split(".")[1:]
    rooms = [".".join(parts[:length]) for length in (2, 1)]
    return next((room for room in rooms if room in MAY_IMPORT), rooms[-1])


@cache
def _loaded_with(name: str) -> frozenset[str]:
    """Our modules that loading `name` loads, itself and the packages around each of them included."""
    loaded: set[str] = set()
    waiting = [name]
    while waiting:
        module = waiting.pop()
        if module in loaded or module not in MODULES:
            continue
        loaded.add(module)
        waiting += [target.module for target in _imports(module) if target.at_load]
        waiting.append(module.rpartition(".")[0])
    return frozenset(loaded)


def test_rooms_import_only_what_the_table_allows():
    violations = [
        f"{name} ({_room(name)}) imports {target.module}"
        for name in CORE
        for target in _imports(name)
        if target.module.startswith("sparse_core.")
        and _room(target.module) not in {_room(name), *MAY_IMPORT.get(_room(name), ())}
    ]
    assert not violations, "\n".join(violations)


def test_every_room_is_in_the_documented_table_below_what_it_imports():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8").partition("Outside of the library")[0]
    cells = re.findall(r"^\| `([a-z/.<>]+)` \|", page, re.MULTILINE)
    names = (cell.removesuffix(".py").removesuffix("/<task>/").strip("/").replace("/", ".") for cell in cells)
    order = {name: position for position, name in enumerate(names)}
    rooms = {_room(name) for name in CORE}
    assert rooms <= MAY_IMPORT.keys(), "a new room: say in MAY_IMPORT and in docs/architecture.md what it may import"
    documented = rooms - {"sources", "cli.sparseml"}
    assert documented <= order.keys(), documented - order.keys()
    above = [
        f"{room} imports {other}"
        for room in documented
        for other in MAY_IMPORT[room] & documented
        if order[other] >= order[room]
    ]
    assert not above, "\n".join(above)


def test_the_library_knows_no_pipelines():
    others = ("kfp", "sparse_pipelines", "components", "pipelines")
    assert not [(name, target.module) for name in CORE for target in _imports(name) if target.package in others]


def test_no_star_imports():
    assert not [(name, target.module) for name in MODULES for target in _imports(name) if target.star]


def test_optional_packages_are_imported_where_they_are_used():
    violations = [
        (name, target.module)
        for name in MODULES
        for target in _imports(name)
        if target.at_load and target.package in OPTIONAL - ({"kfp"} if name.startswith("sparse_pipelines") else set())
    ]
    assert not violations


def test_light_rooms_load_nothing_heavy():
    light = [name for name in CORE if _room(name) in LIGHT] + ["sparse_core.cli.sparseml"]
    violations = {
        f"{name} loads {target.package} through {module}"
        for name in light
        for module in _loaded_with(name)
        for target in _imports(module)
        if target.at_load and target.package in HEAVY
    }
    assert not violations, "\n".join(sorted(violations))


def test_tensor_functions_know_only_tensors():
    violations = [
        (name, target.module)
        for name in TENSOR_FUNCTIONS
        for target in _imports(name)
        if target.package not in TENSOR_PACKAGES and target.module != "sparse_core.errors"
    ]
    assert not violations


def test_components_load_only_kfp():
    for name in MODULES:
        if name.startswith("sparse_pipelines.components.") and name.endswith(".component"):
            at_load = {target.module for target in _imports(name) if target.at_load}
            assert at_load == {"kfp", "sparse_pipelines.components.image"}, name


def test_there_are_no_import_cycles():
    """Counts imports inside functions and for type checkers too; a package may import its own modules."""
    graph = {
        name: {target.module for target in _imports(name) if target.module in MODULES and target.module != name}
        for name in MODULES
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_third_party_imports_are_declared():
    declared = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    known = sys.stdlib_module_names | DECLARED_BY_OTHERS | UNDECLARED_ENGINES | {"sparse_core", "sparse_pipelines"}
    violations = [
        (name, target.module)
        for name in MODULES
        for target in _imports(name)
        if target.package not in known and DISTRIBUTIONS.get(target.package, target.package) not in declared
    ]
    assert not violations
