"""Messages and exit codes."""

import pytest

from sparse_core.cli.boundary import process_boundary
from sparse_core.errors import DataError, did_you_mean


def test_did_you_mean_names_the_nearest_or_nothing():
    assert did_you_mean("final_sparcity", ["final_sparsity", "params"]) == "; did you mean 'final_sparsity'?"
    assert did_you_mean("zzz", ["final_sparsity", "params"]) == ""


def test_a_users_mistake_is_one_line_and_exit_code_1(capsys):
    with pytest.raises(SystemExit) as exit_, process_boundary():
        raise DataError("train_file: x.csv does not exist")
    assert exit_.value.code == 1
    assert capsys.readouterr().err == "error: train_file: x.csv does not exist\n"


def test_an_interrupt_is_exit_code_130(capsys):
    with pytest.raises(SystemExit) as exit_, process_boundary():
        raise KeyboardInterrupt
    assert exit_.value.code == 130
    assert capsys.readouterr().err.startswith("interrupted: nothing was published")


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), process_boundary():
        raise ZeroDivisionError
