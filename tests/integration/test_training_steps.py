"""The training steps: two equal one, a kill changes nothing, and bad input is one sentence."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple

import pytest
from safetensors.torch import load_file

from sparse_core.artifacts.model import Model
from sparse_core.errors import ModelError, OutputError, RecipeError
from sparse_core.recipe import load_recipe
from sparse_core.steps.prune import prune
from sparse_core.steps.qat_finalize import qat_finalize
from sparse_core.steps.sparse_transfer import sparse_transfer
from sparse_core.steps.train_teacher import train_teacher
from sparse_core.steps.training import run_training
from sparse_core.store import read_manifest
from tests.integration.conftest import RECIPE, SETTINGS, write_model


def assert_same_weights(first, second):
    """Bit for bit, every tensor."""
    a, b = (load_file(directory / "model.safetensors") for directory in (first, second))
    assert a.keys() == b.keys()
    assert [name for name in a if not a[name].equal(b[name])] == []


def arguments(inputs, **paths):
    """Paths of a distilling step, with some replaced."""
    names = {"model": "sparse", "dataset": "dataset", "recipe": "recipe", "teacher": "teacher"}
    return {**{name: inputs / folder for name, folder in names.items()}, **paths}


@pytest.fixture(scope="module")
def one_go(inputs, tmp_path_factory):
    """The recipe run without a stop."""
    root = tmp_path_factory.mktemp("one_go")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARSE_CORE_CACHE", str(root / "cache"))
        paths = {**arguments(inputs), "recipe": load_recipe(inputs / "recipe")}
        run_training("one_go", output=root / "out", settings=sparse_transfer.read_settings(SETTINGS), **paths)
    return root / "out"


def test_sparse_transfer_then_qat_finalize_equals_the_recipe_in_one_go(inputs, one_go, tmp_path):
    sparse_metrics = sparse_transfer(**arguments(inputs), output=tmp_path / "sparse", **SETTINGS)
    metrics = qat_finalize(**arguments(inputs, model=tmp_path / "sparse"), output=tmp_path / "qat", **SETTINGS)
    assert_same_weights(tmp_path / "qat", one_go)
    assert metrics["encoder_sparsity"] == sparse_metrics["encoder_sparsity"] == pytest.approx(0.5, abs=0.01)
    assert json.loads((tmp_path / "qat" / "metrics.json").read_text()) == metrics
    log = Model(tmp_path / "qat").log_history()
    assert [entry["epoch"] for entry in log if "eval_loss" in entry][:3] == [1.0, 2.0, 3.0]
    assert read_manifest(tmp_path / "qat")["step"] == "qat_finalize"
    assert not (tmp_path / "qat" / "checkpoint").exists()


KILL_ARGUMENTS = json.dumps({"save_strategy": "steps", "save_steps": 3})
SCRIPT = """
import sys
from pathlib import Path
from sparse_core.recipe import load_recipe
from sparse_core.steps.sparse_transfer import sparse_transfer
from sparse_core.steps.training import run_training
model, dataset, recipe, teacher, output, settings = sys.argv[1:]
import json
run_training("killed", Path(model), Path(dataset), load_recipe(recipe), Path(output),
             sparse_transfer.read_settings(json.loads(settings)), teacher=Path(teacher))
"""


@pytest.mark.slow
def test_a_run_killed_again_and_again_ends_with_the_same_weights(inputs, one_go, tmp_path):
    settings = {**SETTINGS, "training_arguments": KILL_ARGUMENTS}
    paths = [str(path) for path in arguments(inputs).values()]
    command = [sys.executable, "-c", SCRIPT, *paths, str(tmp_path / "out"), json.dumps(settings)]
    environment = {**os.environ, "SPARSE_CORE_CACHE": str(tmp_path / "cache")}
    seen = set()
    for _ in range(3):
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        # any new checkpoint folder, whole or not: the kill falls into or right after its writing
        while process.poll() is None and not (found := set(tmp_path.glob("cache/checkpoints/*/*")) - seen):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        seen |= found
        assert not (tmp_path / "out").exists()
    subprocess.run(command, env=environment, check=True)
    assert_same_weights(tmp_path / "out", one_go)
    assert list(tmp_path.glob("cache/checkpoints/*")) == []


def test_the_teacher_step_can_take_a_fine_tuned_model_as_it_is(inputs, tmp_path):
    paths = {"model": inputs / "teacher", "dataset": inputs / "dataset", "recipe": inputs / "dense_recipe"}
    metrics = train_teacher(**paths, output=tmp_path / "out", evaluate_only=True, **SETTINGS)
    assert_same_weights(tmp_path / "out", inputs / "teacher")
    trained = json.loads((inputs / "teacher" / "metrics.json").read_text())
    assert metrics["eval_accuracy"] == trained["eval_accuracy"]


def test_evaluate_only_of_a_model_without_a_head_is_refused(inputs, tmp_path):
    with pytest.raises(ModelError, match=r"dense"):
        train_teacher(
            inputs / "dense",
            inputs / "dataset",
            inputs / "dense_recipe",
            tmp_path / "o",
            evaluate_only=True,
            **SETTINGS,
        )


def test_a_recipe_without_quantization_passes_the_model_on(inputs, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE[: RECIPE.index("quantization_modifiers")].replace("qat_start_epoch: 2.0\n", ""))
    sparse_transfer(**arguments(inputs, recipe=recipe), output=tmp_path / "sparse", **SETTINGS)
    assert not (tmp_path / "sparse" / "checkpoint").exists()
    qat_finalize(**arguments(inputs, model=tmp_path / "sparse", recipe=recipe), output=tmp_path / "final", **SETTINGS)
    assert_same_weights(tmp_path / "sparse", tmp_path / "final")


def test_prune_makes_the_sparsity_that_the_recipe_names(inputs, tmp_path):
    recipe = "\n".join(
        [
            "training_modifiers:",
            "- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 2.0}",
            "- !MagnitudePruningModifier {init_sparsity: 0.0, final_sparsity: 0.75, start_epoch: 0.0, end_epoch: 1.0,"
            " update_frequency: 0.25, params: ['re:.*encoder.layer.*(query|key|value|dense).weight']}",
        ]
    )
    (tmp_path / "gmp.yaml").write_text(recipe)
    paths = arguments(inputs, model=inputs / "teacher", recipe=tmp_path / "gmp.yaml")
    metrics = prune(**paths, output=tmp_path / "out", **SETTINGS)
    assert metrics["encoder_sparsity"] == 0.75


# --- bad input ------------------------------------------------------------------------------------------------------


def test_an_output_in_use_is_refused_before_anything_else(inputs, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(OutputError) as caught:
        sparse_transfer(**arguments(inputs), output=tmp_path / "out", **SETTINGS)
    assert caught.value.setting == "output"
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_a_full_disk_is_found_before_training(inputs, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 99, 1))
    with pytest.raises(OutputError) as caught:
        sparse_transfer(**arguments(inputs), output=tmp_path / "out", **SETTINGS)
    assert caught.value.setting == "output"
    assert not (tmp_path / "out").exists()


def test_a_recipe_that_never_prunes_is_refused(inputs, tmp_path):
    with pytest.raises(RecipeError) as caught:
        sparse_transfer(**arguments(inputs, recipe=inputs / "dense_recipe"), output=tmp_path / "out", **SETTINGS)
    assert caught.value.setting == "recipe"


def test_prune_wants_a_recipe_that_makes_zeros(inputs, tmp_path):
    with pytest.raises(RecipeError) as caught:
        prune(**arguments(inputs), output=tmp_path / "out", **SETTINGS)
    assert caught.value.setting == "recipe"


def test_sparse_transfer_of_a_dense_model_is_refused(inputs, tmp_path):
    with pytest.raises(ModelError) as caught:
        sparse_transfer(**arguments(inputs, model=inputs / "dense"), output=tmp_path / "out", **SETTINGS)
    assert caught.value.setting == "model"


def test_patterns_that_match_nothing_are_refused(inputs, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE.replace("__ALL_PRUNABLE__", "['re:roberta.*']"))
    with pytest.raises(RecipeError) as caught:
        sparse_transfer(**arguments(inputs, recipe=recipe), output=tmp_path / "out", **SETTINGS)
    assert caught.value.setting == "ConstantPruningModifier.params"


def test_a_teacher_with_another_tokenizer_is_refused(inputs, tmp_path):
    other = write_model(tmp_path / "other", vocabulary=["more"])
    shutil.copy(inputs / "teacher" / "config.json", other / "config.json")
    with pytest.raises(ModelError, match="tokenizer"):
        sparse_transfer(**arguments(inputs, teacher=other), output=tmp_path / "out", **SETTINGS)


def test_qat_finalize_without_a_checkpoint_says_what_it_needs(inputs, tmp_path):
    with pytest.raises(ModelError) as caught:
        qat_finalize(**arguments(inputs), output=tmp_path / "out", **SETTINGS)
    assert caught.value.setting == "model"


def test_qat_finalize_with_another_recipe_is_refused(inputs, tmp_path):
    sparse_transfer(**arguments(inputs), output=tmp_path / "sparse", **SETTINGS)
    recipe = tmp_path / "other.yaml"
    recipe.write_text(RECIPE.replace("hardness: 0.9", "hardness: 0.5"))
    with pytest.raises(ModelError, match="recipe: .* differs from the recipe with which"):
        qat_finalize(**arguments(inputs, model=tmp_path / "sparse", recipe=recipe), output=tmp_path / "out", **SETTINGS)
