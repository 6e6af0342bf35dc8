"""Writes each component's README.md from its signature and docstring: `make readmes`; a test compares them."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path
from typing import Any

import docstring_parser
import yaml

ROOT = Path(__file__).parent


def component_folders() -> list[Path]:
    """The folders that hold a component, sorted."""
    return sorted(path.parent for path in ROOT.glob("*/*/component.py"))


def load_component(folder: Path) -> Any:
    """The KFP component of a folder; it has the folder's name."""
    module = importlib.import_module(f"sparse_pipelines.components.{folder.parent.name}.{folder.name}.component")
    return getattr(module, folder.name)


def render(folder: Path) -> str:
    """The README of one component."""
    component = load_component(folder)
    function = component.python_func
    docstring = docstring_parser.parse(inspect.getdoc(function) or "")
    texts = {param.arg_name: " ".join((param.description or "").split()) for param in docstring.params}
    metadata = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))
    spec = component.component_spec
    rows = [f"| `{name}` | {_type(item)} | {_default(item)} | {texts[name]} |" for name, item in spec.inputs.items()]
    outputs = [f"| `{name}` | {_type(item)} | {texts[name]} |" for name, item in spec.outputs.items()]
    module = f"sparse_pipelines.components.{folder.parent.name}.{folder.name}"
    return "\n".join(
        (
            "<!-- Made from component.py by `make readmes`; edit the docstring there. -->",
            f"# {folder.name}",
            "",
            docstring.short_description or "",
            "",
            f"Stability: {metadata['stability']}. The step behind it, without KFP: `sparse-core {folder.name} --help`.",
            "",
            "## Inputs",
            "",
            "| name | type | default | meaning |",
            "|---|---|---|---|",
            *rows,
            "",
            "## Outputs",
            "",
            "| name | type | meaning |",
            "|---|---|---|",
            *outputs,
            "",
            "## Use",
            "",
            "```python",
            f"from {module} import {folder.name}",
            "```",
            "",
        )
    )


def _type(item: Any) -> str:
    return item.type.partition("@")[0].removeprefix("system.")


def _default(item: Any) -> str:
    if not item.optional:
        return "required"
    return f"`{item.default!r}`" if item.default != "" else "empty"


def main() -> None:
    """Writes all README files."""
    for folder in component_folders():
        (folder / "README.md").write_text(render(folder), encoding="utf-8")
        print(folder / "README.md")


if __name__ == "__main__":
    main()
