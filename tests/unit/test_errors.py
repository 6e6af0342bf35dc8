"""Errors as objects: their rendering, pinned here once for each kind, and how they travel."""

from __future__ import annotations

import concurrent.futures

import pytest

from sparse_core.cli.boundary import process_boundary
from sparse_core.errors import (
    ABSENT,
    ConfigError,
    DataError,
    ModelError,
    Place,
    RecipeError,
    Setting,
    listed,
    nearest,
    plain,
    renamed_settings,
    settings_inside,
    shown,
)

ERRORS = [
    (DataError("train_file", "x.csv does not exist"), "train_file: x.csv does not exist"),
    (ConfigError("", "nothing was published"), "nothing was published"),
    (
        ConfigError("max_seq_length", accepted="at least 3", got=2),
        "max_seq_length: expected at least 3, got 2",
    ),
    (ConfigError("opset", accepted="a whole number"), "opset: expected a whole number"),
    (ConfigError("teacher", accepted="a text", got=None), "teacher: expected a text, got null"),
    (
        ModelError("model", "/m has no config.json", fix="name a folder that save_pretrained wrote"),
        "model: /m has no config.json; name a folder that save_pretrained wrote",
    ),
    (
        ConfigError("sede", "unknown setting", accepted="one of seed, opset", fix="did you mean 'seed'?"),
        "sede: unknown setting; expected one of seed, opset; did you mean 'seed'?",
    ),
    (
        RecipeError("params", "names no layer", place=Place("r.yaml", 7)),
        "r.yaml, line 7: params: names no layer",
    ),
    (DataError("", "malformed CSV", place=Place("a.csv")), "a.csv: malformed CSV"),
    (
        ModelError("teacher", ("reads at most ", "64 tokens"), fix=("lower ", Setting("max_seq_length"))),
        "teacher: reads at most 64 tokens; lower max_seq_length",
    ),
]


@pytest.mark.parametrize(("error", "text"), ERRORS)
def test_an_error_is_one_sentence(error, text):
    assert str(error) == text


def test_the_boundary_writes_settings_as_the_user_does():
    error = ModelError("teacher", "is too short", fix=("lower ", Setting("max_seq_length")))
    assert error.render(lambda name: f"--{name.replace('_', '-')}") == (
        "--teacher: is too short; lower --max-seq-length"
    )


def test_renaming_reaches_mentions_and_keeps_class_place_and_cause():
    cause, place = KeyError("x"), Place("c.yaml", 3)
    with pytest.raises(ModelError) as caught, renamed_settings({"model": "teacher", "rows": "train_file"}):
        raise ModelError("model", ("does not fit ", Setting("rows")), fix="x", place=place) from cause
    error = caught.value
    assert (error.setting, error.problem, error.place) == ("teacher", ("does not fit ", Setting("train_file")), place)
    assert error.__cause__ is cause


def test_renamings_nest_from_the_inside_out():
    with pytest.raises(ConfigError) as caught, renamed_settings({"teacher": "distill_teacher"}):
        with renamed_settings({"model": "teacher"}):
            raise ConfigError("model", "is missing")
    assert caught.value.setting == "distill_teacher"


def test_an_entry_of_a_mapping_is_named_with_the_mapping():
    for name, expected in (("bf16", "training_arguments.bf16"), ("seed", "seed"), ("", "")):
        with pytest.raises(ConfigError) as caught, settings_inside("training_arguments", {"bf16"}):
            raise ConfigError(name, "does not fit")
        assert caught.value.setting == expected


def test_other_errors_pass_through_a_renaming():
    with pytest.raises(ZeroDivisionError), renamed_settings({"a": "b"}):
        raise ZeroDivisionError


def test_a_place_can_be_added_later():
    error = DataError("train_file", "has no rows").at(Place("a.csv", 2))
    assert (type(error), error.setting, str(error)) == (
        DataError,
        "train_file",
        "a.csv, line 2: train_file: has no rows",
    )


def raise_in_a_process():
    raise ModelError(
        "model", ("needs ", Setting("opset")), accepted="17", got=None, fix="raise it", place=Place("a.yaml", 1)
    )


def test_an_error_travels_between_processes():
    with concurrent.futures.ProcessPoolExecutor(1) as pool, pytest.raises(ModelError) as caught:
        pool.submit(raise_in_a_process).result()
    with pytest.raises(ModelError) as expected:
        raise_in_a_process()
    assert vars(caught.value) == vars(expected.value)
    assert caught.value.args == expected.value.args


def test_absent_stays_one_object_in_another_process():
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        assert pool.submit(ConfigError, "opset", "is missing").result().got is ABSENT


def test_the_nearest_name_is_suggested_or_none():
    assert nearest("final_sparcity", ["final_sparsity", "params"]) == "did you mean 'final_sparsity'?"
    assert nearest("zzz", ["final_sparsity", "params"]) == ""


def test_names_are_listed():
    assert listed(["a", "b"]) == "a, b"
    assert listed([]) == "none"


@pytest.mark.parametrize(
    ("value", "in_quotes", "without"),
    [
        ("a", "'a'", "a"),
        (None, "null", "null"),
        (True, "true", "true"),
        (0.1, "0.1", "0.1"),
        (1e-7 / 3, "3.3333333333333334e-08", "3.3333333333333334e-08"),
        ([1, "a", None], "[1, a, null]", "[1, a, null]"),
        ("x" * 100, f"'{'x' * 76}...", f"{'x' * 77}..."),
    ],
)
def test_values_are_shown_as_yaml_and_short(value, in_quotes, without):
    assert (shown(value), plain(value)) == (in_quotes, without)


# --- the boundary of a process ----------------------------------------------------------------------------------------


def test_a_users_mistake_is_one_line_and_exit_code_1(capsys):
    with pytest.raises(SystemExit) as exit_, process_boundary(lambda name: f"--{name}"):
        raise DataError("train_file", "x.csv does not exist")
    assert exit_.value.code == 1
    assert capsys.readouterr().err == "error: --train_file: x.csv does not exist\n"


def test_an_interrupt_is_exit_code_130(capsys):
    with pytest.raises(SystemExit) as exit_, process_boundary():
        raise KeyboardInterrupt
    assert exit_.value.code == 130
    assert capsys.readouterr().err.startswith("interrupted: nothing was published")


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), process_boundary():
        raise ZeroDivisionError
