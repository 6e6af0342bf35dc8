"""Every place that a recipe may come from, and lines that stay true to the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sparse_core.errors import ConfigError, RecipeError
from sparse_core.recipe import builtin_recipes, load_recipe
from tests.refusals import refused

YAML = "end: 3\na_modifiers:\n  - !EpochRangeModifier {start_epoch: 0, end_epoch: eval(end)}\n"
BAD_LINE = "a_modifiers:\n  - !EpochRangeModifier {start_epoch: 0, end: 3}\n"


def test_the_built_in_names() -> None:
    assert builtin_recipes() == (
        "conll2003/base",
        "conll2003/pruned90_quant",
        "dense/base",
        "goemotions/pruned90_quant",
        "mnli/pruned90_quant",
        "qqp/pruned90_quant",
        "sparsify/gradual_quant",
        "squad/base",
        "squad/pruned90_quant",
        "sst2/base",
        "sst2/pruned90_quant",
    )


@pytest.mark.parametrize("name", ["r.yaml", "r.yml", "r.YAML"])
def test_yaml_files(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(YAML)
    assert load_recipe(path).num_epochs == load_recipe(str(path), {"end": 3}).num_epochs == 3.0
    assert load_recipe(path).source == str(path)


@pytest.mark.parametrize("fence", ["---", "+++"])
@pytest.mark.parametrize("head", ["", "<!-- a licence\nin two lines -->\n\n"])
def test_front_matter_keeps_the_lines_of_the_file(tmp_path: Path, fence: str, head: str) -> None:
    path = tmp_path / "recipe.md"
    path.write_text(f"{head}{fence}\n{YAML}{fence}\n\n# A title\n\n{fence}\nmore: text\n{fence}\n")
    assert load_recipe(path).num_epochs == 3.0
    path.write_text(f"{head}{fence}\n{BAD_LINE}{fence}\n")
    line = head.count("\n") + 3
    with refused(RecipeError, "EpochRangeModifier.end", line):
        load_recipe(path)


def test_text_with_and_without_front_matter() -> None:
    assert load_recipe(YAML).source == "recipe text"
    assert load_recipe(f"\n---\n{YAML}---\n# Title\n").num_epochs == 3.0
    assert load_recipe(f"---\n{YAML}").num_epochs == 3.0


def test_a_recipe_artifact(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(load_recipe("dense/base").to_yaml())
    assert load_recipe(tmp_path) == load_recipe("dense/base")


def test_windows_line_ends_and_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "r.md"
    path.write_bytes(b"\xef\xbb\xbf" + f"---\n{YAML}---\n".replace("\n", "\r\n").encode())
    assert load_recipe(path).num_epochs == 3.0


def test_a_path_that_is_a_built_ins_name_is_the_built_in_unless_it_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_recipe(Path("dense/base")) == load_recipe("dense/base")
    assert load_recipe(Path("dense/base")).source == "dense/base"
    artifact = tmp_path / "dense" / "base"
    artifact.mkdir(parents=True)
    (artifact / "recipe.yaml").write_text(YAML)
    assert load_recipe(Path("dense/base")).num_epochs == 3.0


def test_a_stub_is_its_built_in() -> None:
    stub = "zoo:nlp/question_answering/obert-base/pytorch/huggingface/squad/pruned90_quant-none"
    assert load_recipe(stub, {"num_epochs": 14}) == load_recipe("squad/pruned90_quant", {"num_epochs": 14})
    assert load_recipe(stub).source == "squad/pruned90_quant"


def test_a_stub_in_a_mirror_is_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = "nlp/sentiment_analysis/obert-base/pytorch/huggingface/sst2/pruned90_quant-none"
    file = tmp_path / stub / "recipe" / "recipe_original.md"
    file.parent.mkdir(parents=True)
    file.write_text(f"---\n{YAML}---\n")
    monkeypatch.setenv("SPARSE_CORE_ZOO_MIRROR", str(tmp_path))
    assert load_recipe(f"zoo:{stub}").source == str(file)
    assert load_recipe(f"zoo:{stub}").num_epochs == 3.0


def test_object_storage_is_refused_by_its_one_seam() -> None:
    with refused(ConfigError, "recipe"):
        load_recipe("s3://recipes/mine.yaml")


@pytest.mark.parametrize(
    "source",
    ["sst2/pruned90_quantt", "nowhere.yaml", "zoo:nlp/text_classification/x", "x" * 5000, "bad\0name", ""],
)
def test_sources_that_do_not_exist(source: str) -> None:
    for named in (source, Path(source)) if source else (source,):
        with refused(RecipeError, "recipe"):
            load_recipe(named)


@pytest.mark.parametrize(
    ("name", "content", "setting"),
    [
        ("r.json", b"{}", "recipe"),
        ("r.yaml", b"a: \xff\n", "recipe"),
        ("r.md", b"# title\n", "recipe"),
        ("r.md", b"---\na: 1\n", "recipe"),
        ("r.yaml", b"a" * 500_000, ""),
        ("r.yaml", b"", ""),
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, name: str, content: bytes, setting: str) -> None:
    (tmp_path / name).write_bytes(content)
    with refused(RecipeError, setting):
        load_recipe(tmp_path / name)


def test_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(YAML)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with refused(RecipeError, "recipe"):
        load_recipe(path)


def test_loading_a_recipe_imports_nothing_heavy() -> None:
    code = (
        "import sys; from sparse_core.recipe import load_recipe, show_recipe; show_recipe(load_recipe('dense/base'));"
        "print([name for name in ('torch', 'transformers', 'numpy', 'kfp') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
