"""The tables of docs/kubeflow.md are made from the steps and the pipelines; `make golden` writes them."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sparse_core.errors import plain
from sparse_core.steps.registry import STEPS, load_step
from sparse_pipelines.pipelines.spec import PIPELINES

PAGE = Path(__file__).parents[2] / "docs" / "kubeflow.md"
_BLOCK = re.compile(r"<!-- generated: (?P<name>[^\n]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)
MOST_PARAMETERS = 20


def table(header, rows):
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, ["---"] * len(header), *rows])


def code(names):
    return ", ".join(f"`{name}`" for name in names)


def components():
    steps = [load_step(name) for name in STEPS]
    rows = [
        [f"`{s.name}`", code(port.name for port in s.inputs), f"`{s.output.name}`", code(s.settings_model.model_fields)]
        for s in steps
    ]
    return table(["component", "input artifacts", "output artifact", "settings"], rows)


def parameters_of(pipeline):
    """Name -> default and meaning, the groups last."""
    rows = {s.name: s for s in pipeline.settings().values() if not s.group}
    described = {name: (_default(s.field), s.field.description) for name, s in rows.items()}
    return described | dict.fromkeys(sorted(pipeline.groups()), ("empty", "see the component's README"))


def _default(field):
    return "required" if field.is_required() else f"`{plain(field.default)}`" if plain(field.default) else "empty"


def parameters():
    by_pipeline = {name: parameters_of(pipeline) for name, pipeline in PIPELINES.items()}
    names = dict.fromkeys(name for described in by_pipeline.values() for name in described)
    rows = []
    for name in names:
        defaults = [by_pipeline[pipeline].get(name, ("–", ""))[0] for pipeline in PIPELINES]
        meaning = next(described[name][1] for described in by_pipeline.values() if name in described)
        rows.append([f"`{name}`", *defaults, meaning])
    return table(["parameter", *(f"default in {code([name])}" for name in PIPELINES), "meaning"], rows)


PARTS = {"components": components, "parameters": parameters}


def block(name):
    return f"<!-- generated: {name} -->\n\n{PARTS[name]()}\n\n<!-- end of {name} -->"


def test_the_page_says_what_the_code_says():
    page = PAGE.read_text(encoding="utf-8")
    assert sorted(match["name"] for match in _BLOCK.finditer(page)) == sorted(PARTS)
    expected = _BLOCK.sub(lambda match: block(match["name"]), page)
    if os.environ.get("GOLDEN_UPDATE"):
        PAGE.write_text(expected, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == expected, "`make golden` rewrites it"


def test_pipelines_have_few_parameters():
    assert all(len(parameters_of(pipeline)) <= MOST_PARAMETERS for pipeline in PIPELINES.values())
