"""The recipe reference says what the classes say, and the tables of SparseML's names stay apart from ours."""

from __future__ import annotations

import importlib
import os
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from sparse_core.modifiers.base import Modifier, TrainingContext
from sparse_core.modifiers.registry import MODIFIERS
from sparse_core.recipe import builtin_recipes, load_recipe
from sparse_core.recipe.reference import modifiers_markdown, with_generated_parts

DOCS = Path(__file__).parents[3] / "docs"
PAGE = DOCS / "recipes.md"


@pytest.mark.parametrize("name", ["recipes.md", "add-a-modifier.md", "quantization.md", "distillation.md"])
def test_a_page_says_what_the_code_says(name: str) -> None:
    path = DOCS / name
    page = path.read_text(encoding="utf-8")
    assert "<!-- generated: " in page
    if os.environ.get("GOLDEN_UPDATE"):
        page = with_generated_parts(page)
        path.write_text(page, encoding="utf-8")
    assert page == with_generated_parts(page), "run `make golden` and look at the difference"


@pytest.mark.parametrize("name", ["hooks", "claims"])
def test_every_hook_and_claim_has_a_meaning(name: str) -> None:
    rows = with_generated_parts(f"<!-- generated: {name} -->\n<!-- end of {name} -->").splitlines()[4:-2]
    assert rows and all(row.split("|")[2].strip() for row in rows)


@pytest.mark.parametrize("name", MODIFIERS)
def test_every_modifier_and_field_is_described(name: str) -> None:
    cls = MODIFIERS[name]
    assert cls.description
    assert f"### {name}\n" in modifiers_markdown()
    for field, settings in cls.model_fields.items():
        assert settings.description, f"{name}.{field} has no description"
    assert set(cls.ineffective_fields) <= set(cls.model_fields)


def test_every_built_in_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in builtin_recipes() if f"`{name}`" not in page] == []


def test_the_recipes_of_the_pages_load() -> None:
    pages = [PAGE.read_text(encoding="utf-8"), (DOCS / "add-a-modifier.md").read_text(encoding="utf-8")]
    recipes = [text for page in pages for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    loadable = [text for text in recipes if "EpochRangeModifier" in text]
    assert loadable
    for text in loadable:
        assert load_recipe(text).num_epochs > 0


def test_the_example_of_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (DOCS / "add-a-modifier.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    recipe = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert code is not None and recipe is not None
    (tmp_path / "freeze_of_the_page.py").write_text(code[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("freeze_of_the_page")
    monkeypatch.setitem(MODIFIERS, "FreezeModifier", module.FreezeModifier)
    (modifier,) = load_recipe(recipe[1].replace("bert", "0")).modifiers

    model = nn.ModuleList([nn.ModuleDict({"embeddings": nn.Linear(2, 2)}), nn.Linear(2, 2)])
    assert modifier.matched_parameters(model) == ["0.embeddings.weight", "0.embeddings.bias"]
    active = modifier.activate(TrainingContext(model=model, steps_per_epoch=2))
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for epoch, changed in ((0.5, [False, False, True, True]), (1.0, [True, True, True, True])):
        active.before_step(epoch)
        for parameter in model.parameters():
            parameter.data.add_(1.0)
        active.after_step(epoch)
        now = list(model.parameters())
        assert [not torch.equal(old, new) for old, new in zip(before, now, strict=True)] == changed


@pytest.mark.parametrize(
    "page", ["<!-- generated: hooks -->\n", "<!-- generated: nothing -->\n<!-- end of nothing -->"]
)
def test_a_broken_mark_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="generated"):
        with_generated_parts(page)


@pytest.mark.parametrize("cls", MODIFIERS.values(), ids=MODIFIERS)
def test_a_field_is_either_ours_or_only_accepted_at_sparsemls_default(cls: type[Modifier]) -> None:
    assert set(cls.sparseml_defaults) & set(cls.model_fields) == set()
