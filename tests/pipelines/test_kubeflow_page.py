"""The tables of docs/kubeflow.md are made from the steps and the pipelines; `make golden` writes them."""

from __future__ import annotations

from sparse_core.errors import plain
from sparse_core.steps.registry import STEPS, load_step
from sparse_pipelines.pipelines.spec import PIPELINES
from tests.generated import code, require_current, table

MOST_PARAMETERS = 20


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


def test_the_page_says_what_the_code_says():
    require_current("kubeflow.md", {"components": components, "parameters": parameters})


def test_pipelines_have_few_parameters():
    assert all(len(parameters_of(pipeline)) <= MOST_PARAMETERS for pipeline in PIPELINES.values())
