"""The recipe artifact: resolved, equal to its source, and made from the file that was submitted."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sparse_core.errors import OutputError, RecipeError
from sparse_core.recipe import load_recipe
from sparse_core.steps.fetch_recipe import fetch_recipe
from sparse_core.store import identity

YAML = "end: 3\nunused: 1\na_modifiers:\n  - !EpochRangeModifier {start_epoch: 0, end_epoch: eval(end)}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.yaml"
    path.write_text(YAML)
    return path


def test_a_built_in_with_overrides(tmp_path: Path) -> None:
    output = tmp_path / "recipe"
    facts = fetch_recipe(output, recipe="sst2/pruned90_quant", recipe_args='{"num_epochs": 14}')
    assert facts == {"num_epochs": 14.0, "num_modifiers": 6, "num_warnings": 0}
    assert load_recipe(output) == load_recipe("sst2/pruned90_quant", {"num_epochs": 14})
    assert "eval(" not in (output / "recipe.yaml").read_text()
    record = RunRecord.read(output)
    assert (record.step, record.settings["recipe"]) == ("fetch_recipe", "sst2/pruned90_quant")
    assert list(record.files) == ["recipe.yaml"]


def test_settings_without_effect_are_logged_and_kept(
    tmp_path: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        facts = fetch_recipe(tmp_path / "recipe", recipe=str(file))
    warning = f"{file}, line 2: variable 'unused' has no effect: no modifier uses it"
    assert facts["num_warnings"] == 1
    assert caplog.messages == RunRecord.read(tmp_path / "recipe").warnings == [warning]


def test_an_artifact_as_the_source(tmp_path: Path) -> None:
    fetch_recipe(tmp_path / "first", recipe="dense/base")
    fetch_recipe(tmp_path / "second", recipe=str(tmp_path / "first"))
    assert identity(tmp_path / "first") == identity(tmp_path / "second")


def test_a_bad_recipe_leaves_no_output(tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        fetch_recipe(tmp_path / "recipe", recipe="dense/bas")
    assert caught.value.setting == "recipe"
    assert list(tmp_path.iterdir()) == []


def test_an_output_in_use_keeps_what_it_has(tmp_path: Path, file: Path) -> None:
    with pytest.raises(OutputError) as caught:
        fetch_recipe(tmp_path, recipe=str(file))
    assert caught.value.setting == "output"
    assert file.read_text() == YAML
