"""Stubs stand for a mirror's files first, then for what the table says, and for nothing else."""

from __future__ import annotations

import pytest

from sparse_core.errors import ConfigError, ModelError, RecipeError
from sparse_core.recipe import builtin_recipes, load_recipe
from sparse_core.sources.zoo.stubs import MIRROR_VARIABLE, is_stub, model_source, recipe_source
from sparse_core.sources.zoo.table import MODELS, RECIPES

UPSTREAM = "nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus"
TASKS = "obert-base/pytorch/huggingface"
SST2 = f"nlp/sentiment_analysis/{TASKS}/sst2"


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch):
    monkeypatch.delenv(MIRROR_VARIABLE, raising=False)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """Writes a file into a mirror, at a stub and a name below it."""
    root = tmp_path / "mirror"
    root.mkdir()
    monkeypatch.setenv(MIRROR_VARIABLE, str(root))

    def write(stub, name):
        file = root / stub / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
        return file

    return write


def test_what_is_a_stub():
    assert is_stub("zoo:nlp/x") and is_stub(" zoo:nlp/x")
    assert not is_stub("zoo/nlp/x") and not is_stub("./zoo:x")


@pytest.mark.parametrize(
    ("stub", "source"),
    [
        (f"{UPSTREAM}/pruned90-none", "neuralmagic/oBERT-12-upstream-pruned-unstructured-90-v2"),
        (f"{UPSTREAM}/base-none", "neuralmagic/oBERT-12-upstream-pretrained-dense"),
        (f"{UPSTREAM.replace('obert', 'bert')}/base-none", "google-bert/bert-base-uncased"),
        (f"nlp/text_classification/{TASKS}/mnli/base-none", "neuralmagic/oBERT-teacher-mnli"),
        (f"nlp/text_classification/{TASKS}/qqp/base-none", "neuralmagic/oBERT-teacher-qqp"),
        (f"nlp/question_answering/{TASKS}/squad/base-none", "neuralmagic/oBERT-teacher-squadv1"),
    ],
)
@pytest.mark.parametrize("tail", ["", "/", "?recipe_type=transfer-text_classification", "?recipe=original"])
def test_models_of_the_tutorials(stub, source, tail):
    assert model_source(f"zoo:{stub}{tail}") == source


@pytest.mark.parametrize(
    ("stub", "source"),
    [
        (f"{SST2}/pruned90_quant-none", "sst2/pruned90_quant"),
        (f"{SST2}/base-none", "sst2/base"),
        (f"{SST2.replace('obert', 'bert')}/base-none", "dense/base"),
        (f"nlp/text_classification/{TASKS}/mnli/pruned90_quant-none", "mnli/pruned90_quant"),
        (f"nlp/text_classification/{TASKS}/qqp/pruned90_quant-none", "qqp/pruned90_quant"),
        (f"nlp/question_answering/{TASKS}/squad/pruned90_quant-none", "squad/pruned90_quant"),
        (f"nlp/question_answering/{TASKS}/squad/base-none", "squad/base"),
        (f"nlp/token_classification/{TASKS}/conll2003/pruned90_quant-none", "conll2003/pruned90_quant"),
        (f"nlp/token_classification/{TASKS}/conll2003/base-none", "conll2003/base"),
        (f"nlp/multilabel_text_classification/{TASKS}/goemotions/pruned90_quant-none", "goemotions/pruned90_quant"),
        (f"nlp/document_classification/{TASKS}/imdb/pruned90_quant-none", "sst2/pruned90_quant"),
        (f"{SST2}/pruned90_quant-none?recipe_type=original", "sst2/pruned90_quant"),
        (f"{UPSTREAM}/pruned90-none?recipe_type=transfer-text_classification", "sst2/pruned90_quant"),
        (f"{UPSTREAM}/pruned90-none?recipe_type=transfer-token_classification", "conll2003/pruned90_quant"),
        (f"{UPSTREAM}/pruned90-none?recipe=transfer-question_answering", "squad/pruned90_quant"),
        (f"{UPSTREAM}/pruned90-none?recipe_type=transfer-squad", "squad/pruned90_quant"),
        (f"{UPSTREAM}/pruned90-none?recipe_type=transfer-quest", "squad/pruned90_quant"),
        (f"{UPSTREAM}/base-none?recipe_type=transfer-question_answering", "squad/base"),
    ],
)
def test_recipes_of_the_tutorials(stub, source):
    assert recipe_source(f"zoo:{stub}") == source


def test_every_entry_of_the_table_can_be_reached_and_used():
    for stub, hub_id in MODELS.items():
        assert model_source(f"zoo:{stub}") == hub_id
    for stub, recipes in RECIPES.items():
        for recipe_type, builtin in recipes.items():
            assert recipe_source(f"zoo:{stub}?recipe_type={recipe_type}") == builtin
            assert builtin in builtin_recipes()
            assert load_recipe(builtin).num_epochs > 0


def test_the_log_says_what_a_stub_stands_for(caplog):
    with caplog.at_level("INFO"):
        model_source(f"zoo:{UPSTREAM}/base-none")
        recipe_source(f"zoo:{SST2}/base-none")
    assert caplog.messages == [
        f"zoo:{UPSTREAM}/base-none stands for the hub's model neuralmagic/oBERT-12-upstream-pretrained-dense",
        f"zoo:{SST2}/base-none stands for the built-in recipe sst2/base",
    ]


@pytest.mark.parametrize("place", ["config.json", "training/config.json"])
def test_the_mirror_is_asked_for_a_model_first(mirror, place):
    file = mirror(f"{UPSTREAM}/base-none", place)
    assert model_source(f"zoo:{UPSTREAM}/base-none") == file.parent


def test_a_mirror_knows_what_the_table_does_not(mirror):
    stub = "nlp/mine/distilbert-none/pytorch/huggingface/mine/pruned50-none"
    config, recipe = mirror(stub, "training/config.json"), mirror(stub, "recipe/recipe_original.md")
    assert (model_source(f"zoo:{stub}"), recipe_source(f"zoo:{stub}")) == (config.parent, recipe)


def test_a_mirror_without_the_stub_leaves_it_to_the_table(mirror):
    mirror(f"{UPSTREAM}/base-none", "deployment/config.json")
    assert model_source(f"zoo:{UPSTREAM}/base-none") == "neuralmagic/oBERT-12-upstream-pretrained-dense"
    assert recipe_source(f"zoo:{SST2}/base-none") == "sst2/base"


@pytest.mark.parametrize(
    ("name", "recipe_type"),
    [
        ("recipe/recipe_original.md", ""),
        ("recipe/recipe_original.md", "original"),
        ("recipe/recipe_transfer-mine.yaml", ""),
        ("recipe/recipe_transfer-mine.yaml", "transfer-mine"),
        ("recipe/recipe_transfer-mine.yaml", "transfer"),
        ("recipe/recipe_transfer-mine.yml", "Transfer-Mine"),
        ("recipe.yaml", ""),
        ("recipe.md", "original"),
    ],
)
def test_the_mirror_is_asked_for_a_recipe_first(mirror, name, recipe_type):
    file = mirror(f"{SST2}/base-none", name)
    mirror(f"{SST2}/base-none", "recipe/README.md")
    mirror(f"{SST2}/base-none", "recipe/recipe_notes.txt")
    assert recipe_source(f"zoo:{SST2}/base-none" + (f"?recipe_type={recipe_type}" if recipe_type else "")) == file


def test_the_original_is_the_default_of_several(mirror):
    mirror(f"{SST2}/base-none", "recipe/recipe_transfer-mine.md")
    file = mirror(f"{SST2}/base-none", "recipe/recipe_original.md")
    assert recipe_source(f"zoo:{SST2}/base-none") == file


@pytest.mark.parametrize(
    "stub",
    [
        "zoo:nlp/bert",
        "zoo:",
        f"zoo:{UPSTREAM}/base-none/training",
        f"zoo: {UPSTREAM}/base-none",
        f"zoo:{UPSTREAM}/base none",
        f"zoo:{UPSTREAM}/..",
        f"zoo:{UPSTREAM.replace('nlp/', 'nlp//')}",
        f"zoo:{UPSTREAM}/base-none?type=original",
        f"zoo:{UPSTREAM}/base-none?recipe_type=",
    ],
)
def test_malformed_stubs_are_refused(stub):
    with pytest.raises(ModelError) as of_model:
        model_source(stub)
    with pytest.raises(RecipeError) as of_recipe:
        recipe_source(stub)
    assert (of_model.value.setting, of_recipe.value.setting) == ("model", "recipe")
    assert stub in of_model.value.problem and of_model.value.problem == of_recipe.value.problem


def test_an_unknown_model_is_refused_with_the_places_that_were_searched():
    stub = f"zoo:{SST2}/base-none"
    with pytest.raises(ModelError) as caught:
        model_source(stub)
    assert str(caught.value) == (
        f"model: no public copy of the model '{stub}' is known: it is not in the table of docs/models.md, and "
        "SPARSE_CORE_ZOO_MIRROR is not set; give a folder or a hub id, or set SPARSE_CORE_ZOO_MIRROR to a folder "
        "that is laid out by stub and has it there, in training/"
    )


def test_an_unknown_recipe_is_refused_with_the_mirror_that_was_searched(mirror, tmp_path):
    stub = f"nlp/text_classification/{TASKS}/mrpc/base-none"
    with pytest.raises(RecipeError) as caught:
        recipe_source(f"zoo:{stub}")
    assert caught.value.setting == "recipe"
    assert f"{tmp_path}/mirror/{stub}" in caught.value.problem


@pytest.mark.parametrize(
    ("typo", "nearest"),
    [
        (f"{UPSTREAM}/pruned9-none", f"{UPSTREAM}/pruned90-none"),
        (f"{UPSTREAM.replace('corpus', 'corpos').replace('obert', 'oberta')}/base-none", f"{UPSTREAM}/base-none"),
        (f"nlp/text-classification/{TASKS}/mnil/base-none", f"nlp/text_classification/{TASKS}/mnli/base-none"),
    ],
)
def test_the_nearest_stub_is_named(typo, nearest):
    with pytest.raises(ModelError) as caught:
        model_source(f"zoo:{typo}")
    assert f"'zoo:{nearest}'" in caught.value.fix


def test_the_nearest_stub_of_a_recipe_is_named():
    with pytest.raises(RecipeError) as caught:
        recipe_source(f"zoo:{SST2}/pruned90-quant-none")
    assert f"'zoo:{SST2}/pruned90_quant-none'" in caught.value.fix


@pytest.mark.parametrize(
    ("tail", "fix"),
    [
        ("", "one of transfer-CoNLL2003, transfer-MNLI"),
        ("?recipe_type=transfer", "one of transfer-CoNLL2003, transfer-MNLI"),
        ("?recipe_type=transfer-conll2012", "did you mean 'transfer-CoNLL2003'?"),
    ],
)
def test_a_stub_with_several_recipes_needs_a_type(tail, fix):
    with pytest.raises(RecipeError) as caught:
        recipe_source(f"zoo:{UPSTREAM}/pruned90-none{tail}")
    assert caught.value.setting == "recipe"
    assert fix in caught.value.fix


@pytest.mark.parametrize("place", ["/does/not/exist", "s3://zoo/mirror/"])
def test_a_mirror_that_cannot_be_read_is_refused(monkeypatch, place):
    monkeypatch.setenv(MIRROR_VARIABLE, place)
    for source in (model_source, recipe_source):
        with pytest.raises(ConfigError) as caught:
            source(f"zoo:{SST2}/base-none")
        assert caught.value.setting == MIRROR_VARIABLE
