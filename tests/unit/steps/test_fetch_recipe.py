"""The recipe artifact: resolved, and equal to its source."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from sparse_core.artifacts.record import RunRecord
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
    assert facts["num_warnings"] == 1
    (warning,) = RunRecord.read(tmp_path / "recipe").warnings
    assert caplog.messages == [warning] and f"{file}, line 2" in warning and "'unused'" in warning


def test_an_artifact_as_the_source(tmp_path: Path) -> None:
    fetch_recipe(tmp_path / "first", recipe="dense/base")
    fetch_recipe(tmp_path / "second", recipe=str(tmp_path / "first"))
    assert identity(tmp_path / "first") == identity(tmp_path / "second")


def test_a_recipe_given_as_text_is_the_recipe_of_the_file(tmp_path: Path, file: Path) -> None:
    fetch_recipe(tmp_path / "from_file", recipe=str(file))
    fetch_recipe(tmp_path / "from_text", recipe=YAML)
    first, second = ((tmp_path / name / "recipe.yaml").read_bytes() for name in ("from_file", "from_text"))
    assert first == second


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
