"""The printed recipe against stored tables, and the timelines against epochs counted by hand."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from sparse_core.recipe import builtin_recipes, load_recipe, show_recipe, timeline_svg
from sparse_core.recipe.schedule import segments
from sparse_core.recipe.show import format_table, timeline_text

GOLDEN = Path(__file__).parents[2] / "golden" / "recipes"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", builtin_recipes())
def test_each_built_in_resolves_to_its_stored_table(name: str) -> None:
    path = GOLDEN / f"{name.replace('/', '_')}.txt"
    text = show_recipe(load_recipe(name))
    if os.environ.get("GOLDEN_UPDATE"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "run `make golden` and look at the difference"


def test_overrides_and_warnings_are_shown() -> None:
    recipe = load_recipe(
        "a_modifiers:\n  - !EpochRangeModifier {start_epoch: 0, end_epoch: eval(n)}\nn: 3\nm: [x, 1]\n", "n=5"
    )
    assert show_recipe(recipe) == (
        "recipe text: 5 epochs\n\n"
        "modifier            epochs  setting  value\n"
        "------------------  ------  -------  -----\n"
        "EpochRangeModifier  0 to 5\n\n"
        f"epoch               0{'5':>51}\n"
        f"EpochRangeModifier  {'█' * 52}\n"
        f"{'':<20}█ acts  ▒ holds what it made  · idle\n\n"
        "variables\n  n = 5\n  m = [x, 1]\n\n"
        "settings without effect\n  recipe text, line 4: variable 'm' has no effect: no modifier uses it\n"
    )


def test_the_text_timeline_counts_columns_by_epochs() -> None:
    # 52 columns for 13 epochs: 4 columns each. Quantization measures in epochs 8 to 12 and holds in the last one.
    rows = {
        line.split()[0]: line.split()[-1] for line in timeline_text(load_recipe("sst2/pruned90_quant")).splitlines()
    }
    assert rows["QuantizationModifier"] == "·" * 32 + "█" * 16 + "▒" * 4
    assert rows["ConstantPruningModifier"] == "█" * 52


def test_a_short_modifier_still_shows() -> None:
    text = (
        "a_modifiers:\n  - !EpochRangeModifier {start_epoch: 0, end_epoch: 1e6}\n"
        "  - !DistillationModifier {start_epoch: 0, end_epoch: 1}\n"
        "  - !DistillationModifier {start_epoch: 999999, end_epoch: 1e6}\n"
    )
    lines = timeline_text(load_recipe(text)).splitlines()
    assert lines[2].endswith("█" + "·" * 51)
    assert all(len(line) == len(lines[1]) for line in lines[1:4])


def test_segments_of_gradual_pruning_and_quantization() -> None:
    recipe = load_recipe("sparsify/gradual_quant")
    named = {type(m).__name__: [(s.start, s.end, s.holds) for s in segments(m, 8.0)] for m in recipe.modifiers}
    assert named["MagnitudePruningModifier"] == [(0.0, 3.0, False), (3.0, 8.0, True)]
    assert named["QuantizationModifier"] == [(6.0, 7.0, False), (7.0, 8.0, True)]
    assert named["DistillationModifier"] == [(0.0, 8.0, False)]


def test_a_modifier_that_never_acts_has_no_segment() -> None:
    items = ["!EpochRangeModifier {start_epoch: 0, end_epoch: 2}", "!DistillationModifier {start_epoch: 5}"]
    recipe = load_recipe("a_modifiers:\n" + "".join(f"  - {item}\n" for item in items))
    assert segments(recipe.modifiers[1], recipe.num_epochs) == ()
    assert "·" * 52 in timeline_text(recipe)


@pytest.mark.parametrize("name", builtin_recipes())
def test_the_picture_has_a_bar_for_each_segment(name: str) -> None:
    recipe = load_recipe(name)
    root = ElementTree.fromstring(timeline_svg(recipe))
    bars = root.findall(f"{SVG}rect")[1:]  # the first is the background
    assert len(bars) == sum(len(segments(modifier, recipe.num_epochs)) for modifier in recipe.modifiers)
    labels = [text.text for text in root.findall(f"{SVG}text")]
    assert {type(modifier).__name__ for modifier in recipe.modifiers} <= set(labels)
    assert "learning rate, at most " in " ".join(label or "" for label in labels)


def test_the_picture_places_bars_by_epochs() -> None:
    root = ElementTree.fromstring(timeline_svg(load_recipe("sparsify/gradual_quant")))
    titles = {bar.findtext(f"{SVG}title"): bar.attrib for bar in root.iter(f"{SVG}rect")}
    prune, hold = titles["prune, epochs 0 to 3"], titles["hold the zeros, epochs 3 to 8"]
    assert float(prune["width"]) / float(hold["width"]) == pytest.approx(3 / 5)
    assert float(prune["x"]) + float(prune["width"]) == pytest.approx(float(hold["x"]))
    points = root.find(f"{SVG}polyline").attrib["points"].split()  # type: ignore[union-attr]
    heights = [float(point.split(",")[1]) for point in points]
    assert heights == sorted(heights), "a falling rate is drawn downwards"


@pytest.mark.parametrize("num_epochs", ["0.001", "1", "7.5", "1e15"])
def test_the_picture_of_any_length_stays_small_and_escapes_text(num_epochs: str, tmp_path: Path) -> None:
    path = tmp_path / "a<b>&.yaml"
    path.write_text(f"a_modifiers:\n  - !EpochRangeModifier {{start_epoch: 0, end_epoch: {num_epochs}}}\n")
    picture = timeline_svg(load_recipe(path))
    assert len(picture) < 10_000
    assert "a<b>" not in picture
    assert len(ElementTree.fromstring(picture).findall(f"{SVG}line")) <= 18


def test_table_columns_line_up() -> None:
    assert format_table([("a", "bb"), ("ccc", "d")]) == "a    bb\n---  --\nccc  d"
