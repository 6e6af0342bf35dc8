"""Writes component.py and README.md of each component from its step (`make components`). A test compares them."""

from __future__ import annotations

import importlib
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_origin

import yaml
from pydantic.fields import FieldInfo

from sparse_core.steps.registry import STEPS, load_step
from sparse_core.steps.spec import OUTPUT, Kind, Port, Step, groups_of

ROOT = Path(__file__).parent
MAX_CANDIDATES = 8
"""Number of inputs that a component has in place of a step's input with any number of artifacts."""

_ARTIFACTS = {
    Kind.MODEL: "Model",
    Kind.DATASET: "Dataset",
    Kind.RECIPE: "Artifact",
    Kind.DEPLOYMENT: "Model",
    Kind.REPORT: "Artifact",
}
"""Kind of artifact -> its type in KFP."""
_METRICS_HELP = "The numbers that the step returns, and step_seconds."
_HTML_HELP = "report.html, for KFP's page of the run."
_WIDTH = 116


def component_folders() -> list[Path]:
    """The folder of each component, in the order of the steps."""
    by_name = {path.parent.name: path.parent for path in ROOT.glob("*/*/metadata.yaml")}
    return [by_name[name] for name in STEPS]


def load_component(folder: Path) -> Any:
    """The KFP component of a folder; it has the folder's name."""
    return getattr(importlib.import_module(f"{_module(folder)}.component"), folder.name)


def render_component(folder: Path) -> str:
    """component.py of a step."""
    step = load_step(folder.name)
    signature = ",\n".join(f"    {line}" for line in _signature(step))
    arguments = ",\n".join(f"        {line}" for line in _arguments(step))
    imports, before, after = _extras(step)
    return f'''"""The KFP component `{step.name}`, written by `make components` from its step. Do not edit.

No `from __future__ import annotations` here: KFP reads the annotations as objects.
"""

from kfp import dsl

from sparse_pipelines.components.image import IMAGE


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def {step.name}(
{signature},
) -> None:
    """{step.title}

    Args:
{_argument_lines(step)}
    """
{imports}    from sparse_core.cli.component import run_step
    from sparse_core.steps.{step.name} import {step.name} as step
{before}
    run_step(
        step,
        metrics,
{arguments},
    )
{after}

if __name__ == "__main__":
    from kfp.compiler import Compiler

    Compiler().compile({step.name}, package_path=__file__.replace(".py", ".yaml"))
'''


def render_readme(folder: Path) -> str:
    """README.md of a component."""
    step = load_step(folder.name)
    metadata = yaml.safe_load((folder / "metadata.yaml").read_text(encoding="utf-8"))
    inputs = [f"| `{name}` | {kind} | {default} | {text} |" for name, kind, default, text in _input_rows(step)]
    outputs = [f"| `{name}` | {kind} | {text} |" for name, kind, text in _outputs(step)]
    lines = [
        "<!-- Written by `make components` from the step. Do not edit. -->",
        f"# {step.name}",
        "",
        step.title,
        "",
        f"Stability: {metadata['stability']}. The same step without KFP: `sparse-core {step.name} --help`.",
        "",
        "## Inputs",
        "",
        *_table(("name", "type", "default", "meaning"), inputs),
        *(line for group in _groups(step) for line in _group_section(*group)),
        "## Outputs",
        "",
        *_table(("name", "type", "meaning"), outputs),
        "## Use",
        "",
        "```python",
        f"from {_module(folder)} import {step.name}",
        "```",
        "",
    ]
    return "\n".join(lines)


def _module(folder: Path) -> str:
    return f"sparse_pipelines.components.{folder.parent.name}.{folder.name}"


# --- the parts of a component -----------------------------------------------------------------------------------------


def _inputs(step: Step) -> Iterator[tuple[str, Port]]:
    """Parameter and declaration of each input artifact. An input of many artifacts has numbered parameters."""
    for port in step.inputs:
        if port.many:
            first, *others = (f"{_singular(port)}_{number}" for number in range(1, MAX_CANDIDATES + 1))
            yield first, port
            yield from ((name, replace(port, help=f"As {first}.")) for name in others)
        else:
            yield port.name, port


def _singular(port: Port) -> str:
    return port.name.removesuffix("s")


def _names_parameter(port: Port) -> str:
    return f"{_singular(port)}_names"


def _outputs(step: Step) -> list[tuple[str, str, str]]:
    """Name, KFP type and meaning of each output."""
    html = [("html", "HTML", _HTML_HELP)] if step.output.kind is Kind.REPORT else []
    output = (step.output.name, _ARTIFACTS[step.output.kind], step.output.help)
    return [output, *html, ("metrics", "Metrics", _METRICS_HELP)]


def _parameters(step: Step) -> Iterator[tuple[str, str, str | None, str]]:
    """Name, type, default as Python code (None: required) and meaning of each parameter that is not an artifact."""
    for port in step.inputs:
        if port.many:
            yield _names_parameter(port), "list", None, f"Names of {port.name}, in the order of their inputs."
    groups = dict(groups_of(step.settings_model))
    for name, field in step.settings_model.model_fields.items():
        if name in groups:
            keys = ", ".join(groups[name].model_fields)
            yield name, "dict", "{}", f"{_summary(groups[name])} Keys: {keys}."
        else:
            yield name, _type(field), _default(field), field.description or ""


def _summary(group: Any) -> str:
    return (inspect.getdoc(group) or "").partition("\n")[0]


def _groups(step: Step) -> Iterator[tuple[str, dict[str, FieldInfo]]]:
    return ((name, group.model_fields) for name, group in groups_of(step.settings_model))


def _type(field: FieldInfo) -> str:
    if field.annotation in (int, float, bool):
        return field.annotation.__name__
    return "dict" if field.annotation is dict or get_origin(field.annotation) is dict else "str"


def _default(field: FieldInfo) -> str | None:
    return None if field.is_required() else repr(field.default).replace("'", '"')


def _signature(step: Step) -> Iterator[str]:
    """The parameters: required artifacts, required values, then all with a default."""
    required = [parameter for parameter in _parameters(step) if parameter[2] is None]
    optional = [parameter for parameter in _parameters(step) if parameter[2] is not None]
    for name, port in _inputs(step):
        if not port.many:
            yield f"{name}: dsl.Input[dsl.{_ARTIFACTS[port.kind]}]"
    yield from (f"{name}: dsl.Output[dsl.{kind}]" for name, kind, _ in _outputs(step))
    yield from (f"{name}: {kind}" for name, kind, _, _ in required)
    for name, port in _inputs(step):
        if port.many:
            yield f"{name}: dsl.Input[dsl.{_ARTIFACTS[port.kind]}] = None"
    yield from (f"{name}: {kind} = {default}" for name, kind, default, _ in optional)


def _argument_lines(step: Step) -> str:
    meanings = {name: port.help for name, port in _inputs(step)}
    meanings |= {name: text for name, _, text in _outputs(step)}
    meanings |= {name: text for name, _, _, text in _parameters(step)}
    names = [line.partition(":")[0] for line in _signature(step)]
    return "\n".join(
        textwrap.fill(f"{name}: {meanings[name]}", _WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 12)
        for name in names
    )


def _arguments(step: Step) -> Iterator[str]:
    """The arguments of run_step."""
    for port in step.inputs:
        yield f"{port.name}={port.name}"
    yield f"{OUTPUT}={step.output.name}"
    skipped = {_names_parameter(port) for port in step.inputs if port.many}
    yield from (f"{name}={name}" for name, *_ in _parameters(step) if name not in skipped)


def _extras(step: Step) -> tuple[str, str, str]:
    """Additional code of a component: its imports, and the lines before and after the call."""
    before = "".join(
        f"\n    inputs = [{', '.join(name for name, p in _inputs(step) if p.name == port.name)}]"
        f"\n    {port.name} = dict(zip({_names_parameter(port)}, [i for i in inputs if i is not None], strict=True))"
        for port in step.inputs
        if port.many
    )
    if step.output.kind is not Kind.REPORT:
        return "", before, ""
    imports = "    import shutil\n    from pathlib import Path\n\n"
    return imports, before, f'    shutil.copyfile(Path({step.output.name}.path) / "report.html", html.path)\n'


# --- the parts of a README --------------------------------------------------------------------------------------------


def _input_rows(step: Step) -> Iterator[tuple[str, str, str, str]]:
    for name, port in _inputs(step):
        yield name, _ARTIFACTS[port.kind], "none" if port.many or not port.required else "required", port.help
    for name, kind, default, text in _parameters(step):
        yield name, kind, _default_in_words(default), text


def _default_in_words(default: str | None) -> str:
    return "required" if default is None else "empty" if default in ('""', "{}") else f"`{default}`"


def _group_section(name: str, fields: dict[str, FieldInfo]) -> list[str]:
    rows = [
        f"| `{key}` | {_type(field)} | {_default_in_words(_default(field))} | {field.description} |"
        for key, field in fields.items()
    ]
    return [f"### {name}", "", *_table(("name", "type", "default", "meaning"), rows)]


def _table(heads: tuple[str, ...], rows: list[str]) -> list[str]:
    return [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|", *rows, ""]


def main() -> None:
    """Writes component.py and README.md of all components."""
    for folder in component_folders():
        (folder / "component.py").write_text(render_component(folder), encoding="utf-8")
        (folder / "README.md").write_text(render_readme(folder), encoding="utf-8")
        print(folder)


if __name__ == "__main__":
    main()
